"""What goes into the job store and comes out of it, apart from the job itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tasks.jobs.models import Job, JobError, JobStatus, Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    job: Job
    created: bool  #: False: the idempotency key was known, and this is the job it made.


@dataclass(frozen=True, kw_only=True, slots=True)
class RingMessage:
    """What wakes one worker: an entry of the list that Celery reads."""

    list: str
    entry: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    job: Job
    attempt: int  #: Fencing token that every later call for this job must show.
    alone: bool  #: The job may have killed its last workers: nothing else may run beside it.


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """New text of one row. It starts at code point `from_index` of the row's continuation."""

    row: int
    from_index: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ages:
    """How long ago things happened, in ms: the clocks of worker and server need not agree, and the worker
    tells of them a moment later. Of what has not happened the store takes no notice."""

    started_ms: int = 0  #: Since the job came into the engine.
    first_token_ms: int = 0


JUST_NOW = Ages()


@dataclass(frozen=True, kw_only=True, slots=True)
class StepEntry:
    """One held job in a worker's heartbeat."""

    job_id: str
    attempt: int
    started: bool = False  #: It is in the engine.
    num_tokens: int = 0  #: Generated so far, over all rows.
    pieces: tuple[Piece, ...] = ()
    ages: Ages = JUST_NOW


class Verdict(StrEnum):
    OK = "ok"  #: Go on.
    CANCEL = "cancel"  #: The client asked to stop it: end it as canceled.
    DEADLINE = "deadline"  #: Its deadline has passed: end it as failed (or expired, if it never started).
    LOST = "lost"  #: Another attempt owns it, or it has ended: drop it and write nothing more.


@dataclass(frozen=True, kw_only=True, slots=True)
class StepAnswer:
    verdict: Verdict
    stored: tuple[int, ...]  #: Code points stored of every row; empty when the job is lost.
    followed: bool = False  #: Somebody reads its events.


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReply:
    registered: bool  #: False: the server has lost what this worker registered.
    answers: tuple[StepAnswer, ...]  #: One for each entry.


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How an attempt ended; `status` is terminal."""

    status: JobStatus
    rows: tuple[Row, ...] = ()
    error: JobError | None = None
    num_tokens: int = 0
    ages: Ages = JUST_NOW


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishEntry:
    """The end of one held job."""

    job_id: str
    attempt: int
    outcome: Outcome


class CancelVerdict(StrEnum):
    CANCELED = "canceled"  #: It is canceled, now or since before.
    REQUESTED = "requested"  #: A worker holds it and will stop.
    FINISHED = "finished"  #: It had already ended in another way.


@dataclass(frozen=True, kw_only=True, slots=True)
class ReapReport:
    """What one reap did; all but `num_queued` count jobs or entries that this very call changed."""

    requeued: int = 0  #: Taken from a worker that stopped renewing, queued again.
    worker_lost: int = 0  #: Lost for the last time: failed.
    canceled: int = 0  #: Their worker stopped before it could obey the cancel.
    deadline_exceeded: int = 0  #: Their worker stopped, and meanwhile their deadline passed.
    expired: int = 0  #: Their deadline passed in the queue.
    model_unavailable: int = 0  #: No worker with their model for too long.
    abandoned: int = 0  #: Nobody waits for them any more: canceled, or their worker is asked to.
    restored: int = 0  #: They were in no queue and no worker's any more, because somebody deleted an index.
    trimmed: int = 0  #: Index entries of jobs and workers that are gone.
    num_queued: int = 0  #: Waiting afterwards, unclaimed.
