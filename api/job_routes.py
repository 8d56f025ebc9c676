"""Jobs over HTTP: parse, call, render."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from api.company import line_of
from api.errors import JobFinished, JobUnsuccessful
from api.event_format import wants_events
from api.event_routes import stream_new_job
from api.headers import IDEMPOTENCY_KEY
from api.ids import known_id, new_job_id
from api.json_body import read_json_object
from api.preference import Preference, wait_preference, with_preference
from api.render import json_response, render_job
from api.request import parse_request
from api.request_trace import link_to
from api.service import STORE_SECONDS, current_service
from api.validators import keep_private, unless_known
from api.waiting import Waited, Watch
from tasks.jobs.deadline import time_limit
from tasks.jobs.models import Job, JobStatus, Mode
from tasks.jobs.protocol import Submitted

jobs = Blueprint("jobs", __name__)
jobs.after_request(keep_private)

#: When to ask again for a job that is not finished.
POLL_SECONDS = "1"


@jobs.post("/predict")
def predict() -> Response:
    """Records a job and waits for it: 200 with the result, or 202 and the job goes on.

    A client that takes nothing but events gets those.
    """
    if wants_events(request):
        return stream_new_job()
    service = current_service()
    preference = wait_preference(request, service.settings.sync_wait_seconds)
    return submit(preference)


@jobs.post("/jobs")
def create_job() -> Response:
    """Records a job and answers at once."""
    return submit(Preference(0))


@jobs.get("/jobs/<job_id>")
def show_job(job_id: str) -> Response:
    """The job in whatever state it is; with a wait, the moment it ends. 304: as the client knows it."""
    preference = wait_preference(request, default_seconds=0)
    with current_service().waiting.watch(known_id(job_id)) as watch:
        with time_limit(STORE_SECONDS):
            job = current_service().store.get(job_id, owner=g.owner)
        waited = wait_for(watch, job, preference.wait_seconds)
        response = json_response(render_job(waited.last_seen))
    if not waited.last_seen.status.terminal:
        response.headers["Retry-After"] = POLL_SECONDS
    return unless_known(with_preference(response, preference, waited), request)


@jobs.delete("/jobs/<job_id>")
@jobs.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> Response:
    """200: canceled, now or before. 202: it runs and was asked to stop. 409: it had already finished."""
    service = current_service()
    with time_limit(STORE_SECONDS):
        service.store.cancel(known_id(job_id), owner=g.owner)
        job = service.store.get(job_id, owner=g.owner)
    link_to(job)
    # By what the answer shows: a job that was asked to stop may have ended in another way meanwhile.
    if job.status is JobStatus.CANCELED:
        return json_response(render_job(job))
    if job.status.terminal:
        raise JobFinished(job)
    return json_response(render_job(job), 202)


@jobs.post("/jobs/<job_id>/retry")
def retry_job(job_id: str) -> Response:
    """Records a job that has ended once more, as a new one, and answers at once."""
    service = current_service()
    key = IDEMPOTENCY_KEY.parse(request.headers.get("Idempotency-Key"))
    with time_limit(STORE_SECONDS):
        ended = service.store.get(known_id(job_id), owner=g.owner)
        link_to(ended)
        submitted = service.submission.retry(ended, key, new_job_id(), g.origin)
    g.job_id = submitted.job.id
    return mark_replayed(answer_submit(submitted.job, Preference(0)), submitted)


def submit(preference: Preference) -> Response:
    """Also while the server drains: who comes on a kept connection cannot know, and gets a 202 at once."""
    service = current_service()
    key = IDEMPOTENCY_KEY.parse(request.headers.get("Idempotency-Key"))
    wanted = parse_request(read_json_object(request))
    mode = Mode.SYNC if preference.wait_seconds > 0 else Mode.ASYNC
    with service.waiting.watch(new_job_id()) as watch:
        with time_limit(STORE_SECONDS):
            submitted = service.submission.submit(wanted, key, watch.id, g.owner, g.origin, mode)
        g.job_id = submitted.job.id
        waited = wait_for(watch, submitted.job, preference.wait_seconds)
        response = with_preference(answer_submit(waited.last_seen, preference), preference, waited)
    return mark_replayed(response, submitted)


def mark_replayed(response: Response, submitted: Submitted) -> Response:
    if not submitted.created:
        link_to(submitted.job)
        response.headers["Idempotent-Replayed"] = "true"
    return response


def answer_submit(job: Job, preference: Preference) -> Response:
    """A caller that waits wants the result or a reason; one that does not wants the job."""
    if job.status.terminal and job.status is not JobStatus.SUCCEEDED and preference.wait_seconds > 0:
        raise JobUnsuccessful(job)
    response = json_response(render_job(job))
    response.headers["Location"] = f"/jobs/{job.id}"
    if not job.status.terminal:
        response.status_code = 202
        response.headers["Retry-After"] = POLL_SECONDS
    return response


def wait_for(watch: Watch, job: Job, seconds: float) -> Waited[Job]:
    waited = watch.wait(job, seconds, line_of(request.environ))
    g.waited_seconds += waited.seconds
    return waited
