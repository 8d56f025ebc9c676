"""The job as client, API and worker know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from tasks.jobs.origin import UNKNOWN_ORIGIN, Origin
from tasks.jobs.webhook import Webhook, WebhookDelivery


class JobStatus(StrEnum):
    QUEUED = "queued"  #: Recorded; not yet in an engine (a worker may already have claimed it).
    RUNNING = "running"  #: In the engine of a worker that holds its lease.
    SUCCEEDED = "succeeded"  #: The result is in the record.
    FAILED = "failed"  #: It ended without a result; `error` says why.
    CANCELED = "canceled"  #: The client stopped it.
    EXPIRED = "expired"  #: Its deadline passed before it started.

    @property
    def terminal(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class Priority(StrEnum):
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Mode(StrEnum):
    """How a job was submitted."""

    SYNC = "sync"  #: By a call that waits for it.
    ASYNC = "async"  #: By one that does not.
    STREAM = "stream"  #: By one that reads its events.
    BATCH = "batch"  #: As an item of a batch.


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """Exactly what runs: every default is resolved at submit, the seed too."""

    max_new_tokens: int
    do_sample: bool
    temperature: float
    top_k: int  #: 0 keeps the whole vocabulary.
    top_p: float
    repetition_penalty: float
    stop: tuple[str, ...]
    seed: int  #: Row i of the result is drawn with seed + i.
    num_return_sequences: int
    return_full_text: bool

    @property
    def max_tokens(self) -> int:
        """Of all rows together."""
        return self.max_new_tokens * self.num_return_sequences


@dataclass(frozen=True, kw_only=True, slots=True)
class JobError:
    """Why a job ended without a result: `code` is stable (JSON, log and metric label), `detail` is prose."""

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One generated text. `text` is the continuation alone; the API joins the prompt to it when asked."""

    text: str
    finish_reason: str
    num_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """What is to run, and for whom: it never changes, and a job that repeats another has the same."""

    id: str
    text: str
    parameters: Parameters
    model: str  #: Name of the model, for people.
    fingerprint: str  #: Which workers may claim it.
    num_prompt_tokens: int
    ttl_seconds: int
    priority: Priority = Priority.NORMAL
    owner: str = ""  #: The API key's id; empty without authentication.
    cancel_on_disconnect: bool = False  #: When the last client that waits for it hangs up.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retry_of: str | None = None
    webhook: Webhook | None = None

    def spec(self) -> dict[str, Any]:
        """The members above by name, for another job that is to have them."""
        return {each.name: getattr(self, each.name) for each in fields(JobSpec)}


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob(JobSpec):
    """What the API records at submit."""

    deadline_seconds: float | None = None  #: Counted from submit.
    mode: Mode = Mode.ASYNC
    followed: bool = False  #: Its client reads its events as they come.
    idempotency_key: str | None = None
    body_digest: str = ""  #: Of the parsed request: the same key with another digest is refused.
    origin: Origin = UNKNOWN_ORIGIN


@dataclass(frozen=True, kw_only=True, slots=True)
class Job(JobSpec):
    """A job as recorded. Times are Unix seconds by the clock of Redis."""

    status: JobStatus
    created_at: float
    attempt: int  #: Fencing token: +1 on every claim, 0 before the first.
    losses: int  #: How often the reaper took it from a dead worker.
    num_tokens: int = 0  #: Generated so far, over all rows.
    position: int | None = None  #: 1 is next; only while queued and unclaimed.
    eta_seconds: float | None = None  #: Estimate until its start; only with a position.
    started_at: float | None = None
    first_token_at: float | None = None
    completed_at: float | None = None
    expires_at: float | None = None
    deadline_at: float | None = None
    cancel_requested: bool = False
    followed: bool = False  #: Somebody reads or has read its events.
    last_event: str = ""  #: Id of the event of its end; empty before.
    rows: tuple[Row, ...] = ()
    error: JobError | None = None
    batch_id: str | None = None  #: Of the batch whose item it is.
    origin: Origin = UNKNOWN_ORIGIN
    deliveries: tuple[WebhookDelivery, ...] = ()  #: To its webhook.
    requeued_at: float | None = None  #: When it last came back from a worker.
