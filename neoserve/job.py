"""The job, as the service shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from neoserve.decode import Failure, Json, Text, Usage, as_time
from neoserve.delivery import Delivery
from neoserve.errors import JobCanceled, JobExpired, JobFailed

ENDED = frozenset({"succeeded", "failed", "canceled", "expired"})

_FAILURES = {"canceled": JobCanceled, "expired": JobExpired}


@dataclass(frozen=True, slots=True)
class Place:
    """In the queue: 1 is the next of its priority, None is in a worker's hands; estimated seconds to go."""

    position: int | None
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a running job, over all its texts."""

    tokens: int
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """Seconds; None for what has not been reached."""

    queue_s: float | None
    ttft_s: float | None
    generate_s: float | None
    total_s: float | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job at the moment of the answer. Units and meanings are those of docs/api.md, "The job".

    `raw` is the whole object: a newer service may send more than this library knows.
    """

    id: str
    status: str
    model: str
    priority: str
    attempt: int
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime | None
    parameters: Json
    queue: Place | None
    progress: Progress | None
    result: tuple[Text, ...]
    usage: Usage | None
    metrics: Metrics | None
    error: Failure | None
    deadline_at: datetime | None
    retry_of: str | None
    batch_id: str | None
    webhook_deliveries: tuple[Delivery, ...]
    metadata: Json
    raw: Json = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @property
    def text(self) -> str:
        """The first text; empty while there is none."""
        return self.result[0].text if self.result else ""

    @property
    def num_tokens(self) -> int:
        """Generated, in all texts; 0 while that is unknown."""
        return self.usage.completion_tokens if self.usage else 0

    def raise_for_failure(self) -> None:
        """Raises JobFailed, or the kind of it, when the job ended without a result."""
        if self.ended and not self.succeeded:
            code = self.error.code if self.error else self.status
            words = self.error.detail if self.error and self.error.detail else f"It is {self.status}."
            kind = _FAILURES.get(self.status, JobFailed)
            raise kind(f"Job {self.id} ended without a result: {words} [{code}]", code=code, job=self)

    @classmethod
    def read(cls, raw: Json) -> Job:
        queue, progress, metrics = raw.get("queue"), raw.get("progress"), raw.get("metrics")
        return cls(
            id=raw["id"],
            status=raw["status"],
            model=raw.get("model", ""),
            priority=raw.get("priority", ""),
            attempt=raw.get("attempt", 0),
            created_at=as_time(raw.get("created_at")),
            started_at=as_time(raw.get("started_at")),
            completed_at=as_time(raw.get("completed_at")),
            expires_at=as_time(raw.get("expires_at")),
            parameters=raw.get("parameters") or {},
            queue=queue and Place(queue.get("position"), queue.get("eta_s")),
            progress=progress and Progress(progress["tokens"], progress["max_new_tokens"]),
            result=Text.read_all(raw.get("result")),
            usage=Usage.read(raw.get("usage")),
            metrics=metrics
            and Metrics(*(metrics.get(name) for name in ("queue_s", "ttft_s", "generate_s", "total_s"))),
            error=Failure.read(raw.get("error")),
            deadline_at=as_time(raw.get("deadline_at")),
            retry_of=raw.get("retry_of"),
            batch_id=raw.get("batch_id"),
            webhook_deliveries=Delivery.read_all(raw.get("webhook_deliveries")),
            metadata=raw.get("metadata") or {},
            raw=raw,
        )
