"""Completions as they are made."""

from __future__ import annotations

from flask import Response, g

from api.errors import ApiError
from api.event_routes import follow_new_job, new_job_response
from api.openai.blocking import give_up
from api.openai.chunks import Chunks
from api.openai.errors import OpenAIError, openai_error
from api.openai.request import CompletionRequest
from api.openai.translation import single_job
from api.problems import store_problem
from api.service import current_service
from tasks.jobs.errors import JobsError
from tasks.jobs.models import Job


def stream_completion(wanted: CompletionRequest, key: str | None) -> Response:
    service, owner, request_id = current_service(), g.owner, g.request_id
    include_usage = bool(wanted.stream_options and wanted.stream_options.include_usage)

    def tell(job: Job, _: int) -> Chunks:
        return Chunks(job, include_usage=include_usage, describe=lambda error: describe(error, request_id))

    opened, submitted = follow_new_job(single_job(wanted, kept=key is not None), key, tell)

    def close() -> None:
        opened.close()
        if key is None and opened.end == "draining":
            give_up(lambda: service.store.cancel(submitted.job.id, owner=owner))

    response = new_job_response(opened, submitted)
    response.call_on_close(close)
    return response


def describe(error: ApiError | JobsError, request_id: str) -> OpenAIError:
    """For where there is no answer any more whose body it could be."""
    if isinstance(error, ApiError):
        return openai_error(error.status, error.code, error.detail, error.members())[1]
    problem = store_problem(error, request_id)
    return openai_error(problem["status"], problem["code"], problem["detail"], {})[1]
