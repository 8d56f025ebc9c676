"""The one shape of every error: RFC 9457 problem documents with a stable `code`; below /v1 that of OpenAI."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from api.answers.problem import Problem
from api.errors import ApiError, JobFinished, JobNotEnded, JobUnsuccessful, PayloadTooLarge, Unsuccessful
from api.openai.errors import nothing_there, openai_error, should_not_retry, speaks_openai
from api.render import json_response, render_job
from api.service import current_service
from tasks.jobs import errors as jobs
from tasks.jobs.log_line import LogLine

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"

#: How a refusal of the store looks over HTTP: status, and after how many seconds to try again.
STATUS_OF_STORE_ERROR: Mapping[type[jobs.JobsError], tuple[int, int | None]] = {
    jobs.JobNotFound: (404, None),
    jobs.JobGone: (410, None),
    jobs.BatchNotFound: (404, None),
    jobs.BatchGone: (410, None),
    jobs.UnknownModel: (422, None),
    jobs.TooManyJobs: (429, 5),
    jobs.IdempotencyKeyReused: (422, None),
    jobs.NoModel: (503, 5),
    jobs.OtherVersion: (503, 5),
    jobs.StoreUnavailable: (503, 2),
    jobs.NotDurable: (503, 5),
    jobs.StoreBroken: (503, 5),
}

#: When to try again where the queue is full and nothing was measured; otherwise so late at most.
QUEUE_FULL_SECONDS, MAX_QUEUE_FULL_SECONDS = 5, 60
BATCHES_FULL_SECONDS, MAX_BATCHES_FULL_SECONDS = 30, 600

STORE_UNAVAILABLE = "The job store cannot be used now. Send the request again."
STORE_BROKEN = (
    "A key of the job store has been overwritten, and nothing is changed as long as it is so. "
    "Whoever runs this service finds the key in its log."
)
STORE_UNAVAILABLE_TO_WRITE = (
    "The job store cannot be used now, and it is not known whether this request had an effect. "
    "Send it again; a submit with the same Idempotency-Key makes no second job."
)

#: Codes of what the web framework refuses by itself.
CODE_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 500: "internal_error"}

#: How much of an address that is none an answer repeats.
MAX_PATH_CHARS = 64


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    members: Mapping[str, Any] | None = None,
    retry_after_seconds: int | None = None,
    rejected: bool = True,
) -> Response:
    """The answer to a request that went wrong; `code` is also the log field and the metric label.

    `rejected` is false when the request itself was served and its job is what went wrong.
    """
    g.code = code
    if rejected:
        current_service().metrics.rejections.labels(code).inc()
    if speaks_openai(request.path):
        status, error = openai_error(status, code, detail, members or {})
        response = json_response(error.model_dump(), status)
        if should_not_retry(status, rejected=rejected):
            response.headers["X-Should-Retry"] = "false"
    else:
        body = {**problem_document(status, code, detail, g.request_id), **(members or {})}
        response = json_response(body, status, PROBLEM_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="neoserve"'
    if retry_after_seconds is not None:
        response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def problem_document(status: int, code: str, detail: str, request_id: str) -> Problem:
    """The members that every problem has."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }


def on_api_error(error: ApiError) -> Response:
    members = dict(error.members())
    if isinstance(error, JobFinished | JobNotEnded | JobUnsuccessful):
        members["job"] = render_job(error.job)
    return problem(
        error.status,
        error.code,
        error.detail,
        members=members,
        retry_after_seconds=error.retry_after_seconds,
        rejected=not isinstance(error, Unsuccessful),
    )


def on_store_error(error: jobs.JobsError) -> Response:
    status, retry_after_seconds = STATUS_OF_STORE_ERROR.get(type(error), (500, None))
    detail = str(error)
    members: dict[str, Any] = {}
    if isinstance(error, jobs.UnknownModel):
        members["errors"] = [{"field": "model", "message": detail}]
    if isinstance(error, jobs.IdempotencyKeyReused) and error.job_id is not None:
        members["job_id"] = error.job_id
    if isinstance(error, jobs.StoreUnavailable):
        logger.warning(LogLine(str(error), request_id=g.request_id, code=error.code))
        # The error itself names hosts and keys, and those are not the client's business.
        detail = STORE_UNAVAILABLE if request.method in ("GET", "HEAD") else STORE_UNAVAILABLE_TO_WRITE
        if isinstance(error, jobs.StoreBroken):
            detail = STORE_BROKEN
    return problem(status, error.code, detail, members=members, retry_after_seconds=retry_after_seconds)


def store_problem(error: jobs.JobsError, request_id: str) -> Problem:
    """The document alone, for where there is no answer any more whose body it could be."""
    status, _ = STATUS_OF_STORE_ERROR[type(error)]
    return problem_document(status, error.code, str(error), request_id)


def on_queue_full(error: jobs.QueueFull) -> Response:
    seconds = whole_seconds(error.free_in_seconds, QUEUE_FULL_SECONDS, MAX_QUEUE_FULL_SECONDS)
    status = current_service().settings.queue_full_status
    return problem(status, error.code, str(error), retry_after_seconds=seconds)


def on_batches_full(error: jobs.BatchesFull) -> Response:
    seconds = whole_seconds(error.free_in_seconds, BATCHES_FULL_SECONDS, MAX_BATCHES_FULL_SECONDS)
    return problem(429, error.code, str(error), retry_after_seconds=seconds)


def whole_seconds(measured: float | None, otherwise: int, longest: int) -> int:
    """When there will be a place, by the measured drain rate."""
    return otherwise if measured is None else min(max(math.ceil(measured), 1), longest)


def on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    detail = error.description or HTTPStatus(status).phrase
    return problem(status, CODE_OF_STATUS.get(status, "invalid_request"), detail)


def on_no_route(_: NotFound) -> Response:
    addresses = "Texts: POST /predict; jobs: /jobs/<id>; limits: /info."
    if speaks_openai(request.path):
        addresses = nothing_there(request.path)
    without_slash = request.path.rstrip("/")
    if without_slash != request.path and methods_of(without_slash):
        addresses = f"Leave the slash out: {shown(without_slash)}."
    return problem(404, CODE_OF_STATUS[404], f"There is nothing at {shown(request.path)}. {addresses}")


def methods_of(path: str) -> list[str]:
    return list(current_app.url_map.bind("").allowed_methods(path))


def on_wrong_method(error: MethodNotAllowed) -> Response:
    methods = sorted(error.valid_methods or ())
    useful = [method for method in methods if method not in ("HEAD", "OPTIONS")]
    detail = f"{shown(request.path)} takes {' or '.join(useful)}, not {shown(request.method)}."
    response = problem(405, CODE_OF_STATUS[405], detail)
    response.headers["Allow"] = ", ".join(methods)
    return response


def shown(text: str) -> str:
    """What a client sent, without what could upset its terminal, and not more than is needed."""
    printable = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return printable if len(printable) <= MAX_PATH_CHARS else printable[:MAX_PATH_CHARS] + "…"


def on_too_large(_: RequestEntityTooLarge) -> Response:
    limit = (request.max_content_length or 1) - 1
    return on_api_error(PayloadTooLarge(limit, request.content_length))


def register_problems(app: Flask) -> None:
    app.register_error_handler(ApiError, on_api_error)
    app.register_error_handler(jobs.JobsError, on_store_error)
    app.register_error_handler(jobs.QueueFull, on_queue_full)
    app.register_error_handler(jobs.BatchesFull, on_batches_full)
    app.register_error_handler(RequestEntityTooLarge, on_too_large)
    app.register_error_handler(NotFound, on_no_route)
    app.register_error_handler(MethodNotAllowed, on_wrong_method)
    app.register_error_handler(HTTPException, on_http_error)
