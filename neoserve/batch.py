"""The batch and what has come of its items, as the service shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from neoserve.decode import Failure, Json, Text, Usage, as_time
from neoserve.delivery import Delivery

ENDED = frozenset({"completed", "canceled", "expired"})


@dataclass(frozen=True, slots=True)
class Counts:
    """A batch's items by state; `waiting` are no jobs yet."""

    total: int
    waiting: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    expired: int

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.canceled + self.expired


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch at the moment of the answer; `raw` is the whole object."""

    id: str
    status: str
    created_at: datetime | None
    deadline_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime | None
    counts: Counts
    webhook_deliveries: tuple[Delivery, ...]
    metadata: Json
    raw: Json = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @classmethod
    def read(cls, raw: Json) -> Batch:
        counts = raw["counts"]
        return cls(
            id=raw["id"],
            status=raw["status"],
            created_at=as_time(raw.get("created_at")),
            deadline_at=as_time(raw.get("deadline_at")),
            completed_at=as_time(raw.get("completed_at")),
            expires_at=as_time(raw.get("expires_at")),
            counts=Counts(*(counts.get(name, 0) for name in Counts.__dataclass_fields__)),
            webhook_deliveries=Delivery.read_all(raw.get("webhook_deliveries")),
            metadata=raw.get("metadata") or {},
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What has come of one item; of one that has not ended `result` is empty. `raw` is the whole line."""

    index: int
    custom_id: str | None
    job_id: str | None
    status: str
    parameters: Json
    result: tuple[Text, ...]
    usage: Usage | None
    error: Failure | None
    raw: Json = field(repr=False, compare=False)

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

    @classmethod
    def read(cls, raw: Json) -> BatchItem:
        return cls(
            index=raw["index"],
            custom_id=raw.get("custom_id"),
            job_id=raw.get("job_id"),
            status=raw["status"],
            parameters=raw.get("parameters") or {},
            result=Text.read_all(raw.get("result")),
            usage=Usage.read(raw.get("usage")),
            error=Failure.read(raw.get("error")),
            raw=raw,
        )
