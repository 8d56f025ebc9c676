"""Jobs: submit them, wait for them, stop them, list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neoserve import requests
from neoserve.decode import Page
from neoserve.effects import Call, Emit, Flow
from neoserve.errors import NotEnded
from neoserve.exchange import ask_for
from neoserve.job import Job
from neoserve.patience import Patience, Persistence
from neoserve.polling import end_of, poll, wait_before


def predict(body: Mapping[str, Any], key: str, timeout: float | None, persistence: Persistence) -> Flow[Job]:
    """The job that has succeeded: waited for in the call that records it, and then by long-polling."""
    end = end_of(timeout, persistence)
    wait = wait_before(end, persistence)
    call = requests.record(requests.with_query("/predict", wait=f"{wait:.0f}"), body, key)
    job = yield from ask_for(Job.read, replace(call, wait_seconds=wait), Patience(persistence, end=end))
    if not job.ended:
        job = yield from await_end(job.id, end, persistence)
    if not job.ended:
        raise not_ended(job)
    job.raise_for_failure()
    return job


def submit(body: Mapping[str, Any], key: str, persistence: Persistence) -> Flow[Job]:
    return (yield from ask_for(Job.read, requests.record("/jobs", body, key), Patience(persistence)))


def retry(job_id: str, key: str, persistence: Persistence) -> Flow[Job]:
    call = requests.record(requests.path_to("jobs", job_id, "/retry"), None, key)
    return (yield from ask_for(Job.read, call, Patience(persistence)))


def get(job_id: str, persistence: Persistence) -> Flow[Job]:
    call = requests.get(requests.path_to("jobs", job_id))
    return (yield from ask_for(Job.read, call, Patience(persistence)))


def cancel(job_id: str, persistence: Persistence) -> Flow[Job]:
    call = Call(method="DELETE", path=requests.path_to("jobs", job_id))
    return (yield from ask_for(Job.read, call, Patience(persistence)))


def wait_for(job_id: str, timeout: float | None, persistence: Persistence) -> Flow[Job]:
    """The job that has ended, in whatever way. Raises NotEnded."""
    job = yield from await_end(job_id, end_of(timeout, persistence), persistence)
    if not job.ended:
        raise not_ended(job)
    return job


def await_end(job_id: str, end: float, persistence: Persistence) -> Flow[Job]:
    return (yield from poll(requests.path_to("jobs", job_id), Job.read, end, persistence))


def not_ended(job: Job) -> NotEnded:
    return NotEnded(f"Job {job.id} has not ended in the time given; it goes on.", job=job)


def list_all(status: str | Sequence[str] | None, page: int | None, persistence: Persistence) -> Flow[None]:
    """Emits every job in store, the newest first."""
    states = status if status is None or isinstance(status, str) else ",".join(status)
    path: str | None = requests.with_query("/jobs", status=states, limit=page)
    while path:
        found = yield from ask_for(Page.reader("jobs", Job.read), requests.get(path), Patience(persistence))
        for each in found.items:
            yield Emit(each)
        path = requests.next_page("jobs", found.next)
