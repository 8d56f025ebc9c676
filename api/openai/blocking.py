"""Completions as whole answers: a call of OpenAI's clients knows no 202, so it waits for the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from flask import Response, g, request

from api.company import line_of
from api.errors import ApiError, Busy, Draining, JobUnsuccessful, Unsuccessful
from api.ids import new_batch_id, new_job_id
from api.job_routes import mark_replayed, wait_for
from api.openai.answers import Completion, completion_of_batch, completion_of_job
from api.openai.request import MAX_PROMPTS, CompletionRequest
from api.openai.translation import batch, single_job
from api.render import json_response
from api.service import STORE_SECONDS, current_service
from api.store_budget import StoreBudget
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import JobsError
from tasks.jobs.models import JobStatus, Mode

#: Their own limit is 600 s by default.
WAIT_SECONDS = 590.0

#: nginx's status for those whose client reads no answer any more.
CLIENT_CLOSED_REQUEST = 499


class WaitOver(ApiError):
    """The call has waited as long as it may, and its job was canceled: use stream, or ask for less."""

    status = 504
    code = "wait_over"


class WaitOverKept(ApiError):
    """The call has waited as long as it may. Its job goes on: send the same again with the same key."""

    status = 503
    code = "wait_over"
    retry_after_seconds = 1


def complete(wanted: CompletionRequest, key: str | None) -> Response:
    """Of one prompt."""
    service = current_service()
    job_request = single_job(wanted, kept=key is not None)
    with service.waiting.watch(new_job_id()) as watch:
        with time_limit(STORE_SECONDS):
            submitted = service.submission.submit(job_request, key, watch.id, g.owner, g.origin, Mode.SYNC)
        g.job_id = submitted.job.id
        waited = wait_for(watch, submitted.job, WAIT_SECONDS)
    job, owner = waited.last_seen, g.owner
    if waited.handover == "gone":
        return Response(status=CLIENT_CLOSED_REQUEST)
    if not job.status.terminal:
        send_away(waited.handover, key, lambda: service.store.cancel(job.id, owner=owner))
    if job.status is not JobStatus.SUCCEEDED:
        raise JobUnsuccessful(job)
    return mark_replayed(answer(completion_of_job(job), f"/jobs/{job.id}"), submitted)


def complete_list(wanted: CompletionRequest, key: str | None) -> Response:
    """Of several prompts, all of them or none: they are a batch."""
    service, owner, budget = current_service(), g.owner, StoreBudget(STORE_SECONDS)
    store = service.batches.store
    with budget.call():
        service.submission.card(wanted.model)  # Before it is an error of each prompt.
    with service.batches.upload():
        batch_id, created = service.batches.submit(
            batch(wanted), key, new_batch_id(), owner, g.origin, budget
        )
    with service.waiting.watch(batch_id) as watch:
        with budget.call():
            first_seen = store.get(batch_id, owner=owner)
        waited = watch.wait_for(
            first_seen, WAIT_SECONDS, lambda: store.get(batch_id, owner=owner), line_of(request.environ)
        )
    g.waited_seconds += waited.seconds
    if waited.handover == "gone":
        if key is None:
            give_up(lambda: store.cancel(batch_id, owner=owner))
        return Response(status=CLIENT_CLOSED_REQUEST)
    if not waited.last_seen.status.terminal:
        send_away(waited.handover, key, lambda: store.cancel(batch_id, owner=owner))
    with time_limit(STORE_SECONDS):
        items = store.results(batch_id, 0, MAX_PROMPTS, owner=owner)
    for item in items:
        if item.status != JobStatus.SUCCEEDED:
            raise Unsuccessful(item.status, item.error)
    response = answer(completion_of_batch(waited.last_seen, items, wanted.model), f"/batches/{batch_id}")
    if not created:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def answer(completion: Completion, location: str) -> Response:
    response = json_response(completion.model_dump())
    response.headers["Location"] = location
    return response


def send_away(reason: str | None, key: str | None, cancel: Callable[[], object]) -> NoReturn:
    """A client without an idempotency key cannot come back for what it asked for, and asks for it anew."""
    if key is None:
        give_up(cancel)
    if reason == "busy":
        raise Busy()
    if reason == "draining":
        raise Draining()
    raise WaitOver() if key is None else WaitOverKept()


def give_up(cancel: Callable[[], object]) -> None:
    """Should the store not hear of it now, it runs for nobody."""
    with suppress(JobsError), time_limit(STORE_SECONDS):
        cancel()
