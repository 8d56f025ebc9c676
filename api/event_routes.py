"""A job's events over HTTP, as they happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from flask import Blueprint, Response, g, request

from api.company import line_of
from api.event_format import EVENT_STREAM
from api.headers import IDEMPOTENCY_KEY, LAST_EVENT_ID
from api.ids import known_id, new_job_id
from api.job_events import JobEvents
from api.job_stream import Tell
from api.json_body import read_json_object
from api.problems import store_problem
from api.request import PredictRequest, parse_request
from api.service import STORE_SECONDS, current_service
from api.streams import OpenStream
from tasks.jobs.deadline import time_limit
from tasks.jobs.models import Job, Mode
from tasks.jobs.protocol import Submitted

events = Blueprint("events", __name__)


@events.get("/jobs/<job_id>/events")
def show_events(job_id: str) -> Response:
    """What has happened and what happens from here on; 204 for a reader who has had the end."""
    after = LAST_EVENT_ID.parse(request.headers.get("Last-Event-ID")) or None

    def find() -> Job:
        with time_limit(STORE_SECONDS):
            return current_service().store.get(known_id(job_id), owner=g.owner)

    if request.method == "HEAD":
        find()
        return event_response(())
    return stream(find, after)


def stream_new_job() -> Response:
    """`POST /predict` of a client that takes events."""
    key = IDEMPOTENCY_KEY.parse(request.headers.get("Idempotency-Key"))
    wanted = parse_request(read_json_object(request))
    opened, submitted = follow_new_job(wanted, key, in_events(g.request_id))
    return new_job_response(opened, submitted)


def follow_new_job(wanted: PredictRequest, key: str | None, tell: Tell) -> tuple[OpenStream, Submitted]:
    """Records a job, but nothing where it cannot be followed. Raises Busy and what a submit raises."""
    service = current_service()
    recorded: list[Submitted] = []

    def record() -> Job:
        with time_limit(STORE_SECONDS):
            submitted = service.submission.submit(wanted, key, new_job_id(), g.owner, g.origin, Mode.STREAM)
            g.job_id = submitted.job.id
            recorded.append(submitted)
            return service.store.get(submitted.job.id, owner=g.owner)

    opened = service.streams.open(record, after=None, line=line_of(request.environ), tell=tell)
    # None is for those who have had the end already.
    return cast(OpenStream, opened), recorded[0]


def new_job_response(opened: OpenStream, submitted: Submitted) -> Response:
    response = stream_response(opened)
    response.headers["Location"] = f"/jobs/{submitted.job.id}"
    if not submitted.created:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def stream(find: Callable[[], Job], after: str | None) -> Response:
    streams = current_service().streams
    opened = streams.open(find, after=after, line=line_of(request.environ), tell=in_events(g.request_id))
    if opened is None:
        response = Response(status=204)
        del response.headers["Content-Type"]  # Of a body that there is not.
        return response
    return stream_response(opened)


def in_events(request_id: str) -> Tell:
    return lambda job, attempt: JobEvents(job.id, attempt, lambda error: store_problem(error, request_id))


def stream_response(opened: OpenStream) -> Response:
    response = event_response(opened)
    response.call_on_close(opened.close)
    return response


def event_response(pieces: Iterable[bytes]) -> Response:
    response = Response(pieces, content_type=EVENT_STREAM)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # Of nginx, which would keep events back.
    return response
