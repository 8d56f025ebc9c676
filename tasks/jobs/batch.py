"""Many jobs under one name, as client and API know them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tasks.jobs.models import JobError, JobStatus, NewJob, Parameters, Row
from tasks.jobs.record import (
    check_schema,
    decode_error,
    decode_parameters,
    decode_rows,
    encode_new_job,
    to_json,
)
from tasks.jobs.webhook import Webhook, WebhookDelivery, decode_deliveries, decode_webhook


class BatchStatus(StrEnum):
    RUNNING = "running"  #: Items wait, are queued or run.
    CANCELING = "canceling"  #: Somebody canceled it; items that run are about to stop.
    COMPLETED = "completed"  #: Every item has ended, in whatever way.
    CANCELED = "canceled"  #: Ended, and the cancel has stopped some items.
    EXPIRED = "expired"  #: Ended by its deadline; some items never started.

    @property
    def terminal(self) -> bool:
        return self not in (BatchStatus.RUNNING, BatchStatus.CANCELING)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewBatch:
    """What the API records once all items are there."""

    id: str
    total: int
    ttl_seconds: int  #: Counted from its end.
    deadline_seconds: float  #: Counted from submit.
    owner: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    webhook: Webhook | None = None
    idempotency_key: str | None = None
    digest: str = ""  #: Of the parsed request: the same key with another digest is refused.


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchItem:
    """A job of a batch before it is one; `custom_id` is the client's name for it."""

    job: NewJob
    custom_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchCounts:
    """Items by state; `waiting` are those that have not become jobs yet."""

    total: int
    waiting: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    expired: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A batch as recorded. Times are Unix seconds by the clock of Redis."""

    id: str
    status: BatchStatus
    counts: BatchCounts
    created_at: float
    deadline_at: float
    ttl_seconds: int
    completed_at: float | None
    expires_at: float | None
    metadata: Mapping[str, Any]
    webhook: Webhook | None = None
    deliveries: tuple[WebhookDelivery, ...] = ()  #: To its webhook.


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemResult:
    """What has come of one item so far."""

    index: int
    custom_id: str | None
    job_id: str | None  #: None where it has not become a job, or never will.
    status: str  #: A job's, or `waiting`.
    text: str
    parameters: Parameters
    num_prompt_tokens: int
    num_tokens: int
    rows: tuple[Row, ...]
    error: JobError | None


def encode_item(item: BatchItem) -> str:
    """The fields of the job's record, for the script that makes it a job."""
    fields = {name: str(value) for name, value in encode_new_job(item.job).items()}
    return to_json(fields if item.custom_id is None else {**fields, "custom_id": item.custom_id})


def decode_item(index: int, state: str, became_job: int, text: str) -> ItemResult:
    """`state` is empty where the item itself says it."""
    values: Mapping[str, str] = json.loads(text)
    # Neither says it where somebody has deleted which items are jobs, until the reaper finds these.
    status = state or values.get("status", JobStatus.QUEUED)
    error = decode_error(values)
    if error is None and status == JobStatus.EXPIRED:  # Before it was a job.
        error = JobError(code="expired", detail="The deadline passed before the job started.")
    return ItemResult(
        index=index,
        custom_id=values.get("custom_id"),
        job_id=values["id"] if became_job else None,
        status=status,
        text=values["text"],
        parameters=decode_parameters(values["parameters"]),
        num_prompt_tokens=int(values["num_prompt_tokens"]),
        num_tokens=int(values.get("num_tokens", 0)),
        rows=decode_rows(values.get("rows")),
        error=error,
    )


def decode_batch(flat: Sequence[str], num_running: int) -> Batch:
    """From the reply of HGETALL, and how many items run now. Raises OtherVersion."""
    record = dict(zip(flat[::2], flat[1::2], strict=True))
    check_schema(record["schema"])
    total, taken_in = int(record["total"]), int(record["next"])
    ended = {name: int(record[name]) for name in ("succeeded", "failed", "canceled", "expired")}
    canceling = record["status"] == BatchStatus.RUNNING and record.get("cancel_requested") == "1"
    return Batch(
        id=record["id"],
        status=BatchStatus.CANCELING if canceling else BatchStatus(record["status"]),
        counts=BatchCounts(
            total=total,
            waiting=total - taken_in,
            queued=taken_in - sum(ended.values()) - num_running,
            running=num_running,
            **ended,
        ),
        created_at=int(record["created_at"]) / 1000,
        deadline_at=int(record["deadline_at"]) / 1000,
        ttl_seconds=int(record["ttl_seconds"]),
        completed_at=int(record["completed_at"]) / 1000 if "completed_at" in record else None,
        expires_at=int(record["expires_at"]) / 1000 if "expires_at" in record else None,
        metadata=json.loads(record["metadata"]),
        webhook=decode_webhook(record),
        deliveries=decode_deliveries(record),
    )
