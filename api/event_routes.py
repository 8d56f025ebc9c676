"""A job's events over HTTP, as they happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from flask import Blueprint, Response, g, request

from api.company import line_of
from api.event_format import EVENT_STREAM, last_event_id
from api.ids import known_id, new_job_id
from api.json_body import read_json_object
from api.problems import store_problem
from api.request import parse_request
from api.service import STORE_SECONDS, current_service
from api.submission import parse_idempotency_key
from tasks.jobs.deadline import time_limit
from tasks.jobs.models import Job, Mode

events = Blueprint("events", __name__)


@events.get("/jobs/<job_id>/events")
def show_events(job_id: str) -> Response:
    """What has happened and what happens from here on; 204 for a reader who has had the end."""
    after = last_event_id(request)

    def find() -> Job:
        with time_limit(STORE_SECONDS):
            return current_service().store.get(known_id(job_id))

    if request.method == "HEAD":
        find()
        return event_response(())
    return stream(find, after)


def stream_new_job() -> Response:
    """`POST /predict` of a client that takes events: nothing is recorded where it cannot be followed."""
    service = current_service()
    key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
    wanted = parse_request(read_json_object(request))
    created = False

    def record() -> Job:
        nonlocal created
        with time_limit(STORE_SECONDS):
            submitted = service.submission.submit(wanted, key, new_job_id(), g.origin, Mode.STREAM)
            g.job_id, created = submitted.job.id, submitted.created
            return service.store.get(submitted.job.id)

    response = stream(record, None)
    response.headers["Location"] = f"/jobs/{g.job_id}"
    if not created:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def stream(find: Callable[[], Job], after: str | None) -> Response:
    streams = current_service().streams
    describe = partial(store_problem, request_id=g.request_id)
    opened = streams.open(find, after=after, line=line_of(request.environ), describe=describe)
    if opened is None:
        response = Response(status=204)
        del response.headers["Content-Type"]  # Of a body that there is not.
        return response
    response = event_response(opened)
    response.call_on_close(opened.close)
    return response


def event_response(pieces: Iterable[bytes]) -> Response:
    response = Response(pieces, content_type=EVENT_STREAM)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # Of nginx, which would keep events back.
    return response
