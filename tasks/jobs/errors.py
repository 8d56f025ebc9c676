"""What can go wrong between a caller and the job record.

JobsError
├── StoreUnavailable
│   ├── NotDurable
│   └── StoreBroken
├── QueueFull
├── TooManyJobs
├── BatchesFull
├── IdempotencyKeyReused
├── JobNotFound
├── JobGone
├── BatchNotFound
├── BatchGone
├── NoModel
├── UnknownModel
├── OtherVersion
└── RingFailed
"""

from __future__ import annotations

from typing import ClassVar


class JobsError(Exception):
    """The job queue could not do what was asked."""

    #: Stable; the same word in the problem's JSON, the log and the metric label.
    code: ClassVar[str] = "jobs_error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (self.__doc__ or "").strip())


class StoreUnavailable(JobsError):
    """The server that holds the jobs cannot be used now; whether the last call had an effect is unknown."""

    code = "store_unavailable"


class NotDurable(StoreUnavailable):
    """The server cannot say what is on its disk, and submits are to be durable."""

    code = "not_durable"


class StoreBroken(StoreUnavailable):
    """Somebody else has written a key of the job store. While it is there, nothing is changed."""

    code = "store_broken"


class QueueFull(JobsError):
    """Too many jobs are waiting; nothing was recorded."""

    code = "queue_full"

    def __init__(self, limit: int, queued: int, free_in_seconds: float | None = None) -> None:
        """`free_in_seconds`: an estimate until there is a place; None when nothing was measured."""
        super().__init__(f"{queued} jobs are waiting and the limit is {limit}; nothing was recorded.")
        self.limit = limit
        self.queued = queued
        self.free_in_seconds = free_in_seconds


class TooManyJobs(JobsError):
    """Too many jobs of this key have not ended; nothing was recorded."""

    code = "too_many_jobs"

    def __init__(self, limit: int, unfinished: int) -> None:
        super().__init__(
            f"{unfinished} jobs of this key have not ended and the limit is {limit}; nothing was recorded."
        )
        self.limit = limit
        self.unfinished = unfinished


class BatchesFull(JobsError):
    """Too many items of batches have not ended; nothing was recorded."""

    code = "batches_full"

    def __init__(self, limit: int, unfinished: int, total: int, free_in_seconds: float | None = None) -> None:
        """`free_in_seconds`: an estimate until there is room for `total`; None when nothing was measured."""
        super().__init__(
            f"{unfinished} items of batches have not ended, this batch has {total}, and the limit is "
            f"{limit}; nothing was recorded."
        )
        self.limit = limit
        self.unfinished = unfinished
        self.free_in_seconds = free_in_seconds


class IdempotencyKeyReused(JobsError):
    """The idempotency key was used before, with another request."""

    code = "idempotency_key_reused"

    def __init__(self, job_id: str | None = None) -> None:
        """`job_id`: the job that the key belongs to; None where it belongs to a batch."""
        super().__init__()
        self.job_id = job_id


class JobNotFound(JobsError):
    """There is no such job."""

    code = "job_not_found"


class JobGone(JobsError):
    """The job ended and its retention is over."""

    code = "gone"


class BatchNotFound(JobsError):
    """There is no such batch."""

    code = "batch_not_found"


class BatchGone(JobsError):
    """The batch ended and its retention is over."""

    code = "batch_gone"


class NoModel(JobsError):
    """No worker has registered a model yet. Start one with neoserve worker."""

    code = "no_model"


class UnknownModel(JobsError):
    """No worker has ever registered a model of this name."""

    code = "unknown_model"

    def __init__(self, name: str) -> None:
        super().__init__(f"No worker has ever registered a model named {name!r}.")
        self.name = name


class OtherVersion(JobsError):
    """A release of NeoServe has recorded this that is not next to the one that runs here."""

    code = "other_version"

    def __init__(self, theirs: int, ours: int) -> None:
        super().__init__(
            f"This was recorded with schema version {theirs}, and the process that was asked has "
            f"version {ours}: it handles {ours - 1} to {ours + 1}. Nothing was changed."
        )
        self.theirs = theirs
        self.ours = ours


class RingFailed(JobsError):
    """No worker could be told; this is repeated."""

    code = "ring_failed"
