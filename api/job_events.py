"""What a reader is told of a job: its recorded events, and what the record says where there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from api.event_format import RETRY, event
from api.render import render_job, render_place
from tasks.jobs.errors import JobsError
from tasks.jobs.events import MAX_NUMBER, Event, EventKind
from tasks.jobs.models import Job, JobStatus

#: Makes a problem document.
Describe = Callable[[JobsError], Mapping[str, Any]]


class JobEvents:
    """Turns events into bytes, for a reader who holds texts of `attempt`, or none (0)."""

    def __init__(self, job_id: str, attempt: int, describe: Describe) -> None:
        self._job_id = job_id
        self._describe = describe
        self._attempt = attempt
        self._position: int | None = 0  #: As last told; 0 is none.
        self.done: Event | None = None  #: The last event, once it was read; what it carries is in the record.

    def recorded(self, events: Iterable[Event]) -> bytes:
        return b"".join(map(self._recorded, events))

    def queued(self, job: Job) -> bytes:
        """Nothing, where the reader knows it."""
        if job.status is not JobStatus.QUEUED or job.position == self._position:
            return b""
        self._position = job.position
        return event("queued", {"job_id": job.id, **render_place(job)})

    def ended(self, job: Job, event_id: str) -> bytes:
        return event("done", {"job": render_job(job)}, event_id)

    def replayed(self, job: Job) -> bytes:
        """All of it, from the record. Only the end has an id: who comes back earlier gets it all again."""
        parts = [] if job.started_at is None else [self._started(job.attempt, None)]
        for number, row in enumerate(job.rows):
            if row.text:
                parts.append(event("token", {"text": row.text, "index": number}))
        return b"".join([*parts, self.ended(job, end_id(job))])

    def forget(self) -> None:
        """The server has lost events that the reader has. Its texts are void; the next `started` says so."""
        self._attempt = 0

    def failed(self, error: JobsError) -> bytes:
        return event("error", {"problem": self._describe(error)})

    def interrupted(self) -> bytes:
        return RETRY

    def _recorded(self, each: Event) -> bytes:
        if each.kind is EventKind.DONE:
            self.done = each
        if each.kind is EventKind.STARTED:
            return self._started(each.attempt, each.id)
        if each.kind is not EventKind.TOKEN:
            return b""
        token = event("token", {"text": each.text, "index": each.row}, each.id)
        # An attempt that fails at once may end before anybody has recorded its start.
        return token if each.attempt == self._attempt else self._started(each.attempt, None) + token

    def _started(self, attempt: int, event_id: str | None) -> bytes:
        self._attempt = attempt
        self._position = 0
        return event("started", {"job_id": self._job_id, "attempt": attempt}, event_id)


def end_id(job: Job) -> str:
    """Of the last event of an ended job, also when its stream is over."""
    return job.last_event or f"{round((job.completed_at or 0) * 1000)}-{MAX_NUMBER}"
