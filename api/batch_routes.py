"""Batches over HTTP: parse, call, render."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, g, request

from api.batch_body import read_batch
from api.batch_render import render_batch, render_item
from api.company import line_of
from api.errors import BatchFinished
from api.headers import IDEMPOTENCY_KEY
from api.ids import BATCH_ID, new_batch_id
from api.preference import wait_preference, with_preference
from api.render import compact_json, json_response
from api.service import STORE_SECONDS, current_service
from api.store_budget import StoreBudget
from api.validators import keep_private, unless_known
from tasks.jobs.batch import Batch, BatchStatus, ItemResult
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import BatchNotFound, JobsError
from tasks.jobs.log_line import LogLine

logger = logging.getLogger(__name__)

batches = Blueprint("batches", __name__)
batches.after_request(keep_private)

#: When to ask again for a batch that has not ended.
POLL_SECONDS = "5"


@batches.post("/batches")
def create_batch() -> Response:
    """Records a batch; its items become jobs a few at a time."""
    service = current_service()
    key = IDEMPOTENCY_KEY.parse(request.headers.get("Idempotency-Key"))
    budget = StoreBudget(STORE_SECONDS)
    with service.batches.upload():
        body = read_batch(request, service.settings)
        batch_id, created = service.batches.submit(body, key, new_batch_id(), g.owner, g.origin, budget)
    with budget.call():
        response = show(service.batches.store.get(batch_id, owner=g.owner), status_of_unfinished=202)
    response.headers["Location"] = f"/batches/{batch_id}"
    if not created:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@batches.get("/batches/<batch_id>")
def show_batch(batch_id: str) -> Response:
    """The batch as it is; with a wait, the moment it ends. 304: as the client knows it."""
    service = current_service()
    preference = wait_preference(request, default_seconds=0)
    with service.waiting.watch(known_id(batch_id)) as watch:
        with time_limit(STORE_SECONDS):
            batch = service.batches.store.get(batch_id, owner=g.owner)
        waited = watch.wait_for(
            batch,
            preference.wait_seconds,
            lambda: service.batches.store.get(batch_id, owner=g.owner),
            line_of(request.environ),
        )
    g.waited_seconds += waited.seconds
    return unless_known(with_preference(show(waited.last_seen), preference, waited), request)


@batches.get("/batches/<batch_id>/results")
def show_results(batch_id: str) -> Response:
    """One line for each item, in the order of the request; of those that have not ended it says the state."""
    store = current_service().batches.store
    with time_limit(STORE_SECONDS):
        first = store.results(known_id(batch_id), owner=g.owner)
    return Response(result_lines(store, batch_id, first, g.owner), mimetype="application/jsonl")


@batches.delete("/batches/<batch_id>")
@batches.post("/batches/<batch_id>/cancel")
def cancel_batch(batch_id: str) -> Response:
    """200: canceled, now or before. 202: items that run were asked to stop. 409: it had already ended."""
    store = current_service().batches.store
    with time_limit(STORE_SECONDS):
        store.cancel(known_id(batch_id), owner=g.owner)
        batch = store.get(batch_id, owner=g.owner)
    if batch.status.terminal and batch.status is not BatchStatus.CANCELED:
        raise BatchFinished(render_batch(batch))
    return show(batch, status_of_unfinished=202)


def show(batch: Batch, status_of_unfinished: int = 200) -> Response:
    if batch.status.terminal:
        return json_response(render_batch(batch))
    response = json_response(render_batch(batch), status_of_unfinished)
    response.headers["Retry-After"] = POLL_SECONDS
    return response


def result_lines(store: BatchStore, batch_id: str, items: Sequence[ItemResult], owner: str) -> Iterator[str]:
    """A store that fails half-way cuts the answer off: the client sees that it is not whole.

    Raises ConnectionResetError, at which gunicorn closes the connection and logs nothing.
    """
    while items:
        yield "".join(compact_json(render_item(each)) for each in items)
        try:
            with time_limit(STORE_SECONDS):
                items = store.results(batch_id, items[-1].index + 1, owner=owner)
        except JobsError as error:
            logger.warning(LogLine(f"its results were cut off: {error}", batch_id=batch_id))
            raise ConnectionResetError(errno.ECONNRESET, "cut off") from None


def known_id(batch_id: str) -> str:
    """Raises BatchNotFound for what was never an id of ours, without asking the store."""
    if not BATCH_ID.fullmatch(batch_id):
        raise BatchNotFound()
    return batch_id
