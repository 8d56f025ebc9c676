"""The batch as clients see it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.job import JobError, Parameters, Text, Usage
from api.answers.values import DESCRIBED, BatchId, Count, JobId, Time
from api.answers.webhook import WebhookDelivery

ItemStatus = Literal["waiting", "queued", "running", "succeeded", "failed", "canceled", "expired"]


@with_config(DESCRIBED)
class BatchCounts(TypedDict):
    """A batch's items by state."""

    total: Count
    waiting: Count
    """No jobs yet."""
    queued: Count
    running: Count
    succeeded: Count
    failed: Count
    canceled: Count
    expired: Count


@with_config(DESCRIBED)
class BatchUrls(TypedDict):
    """Addresses of the batch."""

    self: str
    results: str
    cancel: str


@with_config(DESCRIBED)
class Batch(TypedDict):
    """Many prompts under one name. Every member is always there and null where it is not known yet."""

    id: BatchId
    status: Literal["running", "canceling", "completed", "canceled", "expired"]
    """`completed`: every item has ended, in whatever way."""
    created_at: Time
    deadline_at: Time
    completed_at: Time | None
    expires_at: Time | None
    """When its address begins to answer 410."""
    counts: BatchCounts
    urls: BatchUrls
    webhook_deliveries: list[WebhookDelivery]
    metadata: dict[str, Any]
    """As it was sent."""


@with_config(DESCRIBED)
class BatchPage(TypedDict):
    """Batches, the one recorded last first."""

    batches: list[Batch]
    next: str | None
    """Address of the next page; null at the end."""


@with_config(DESCRIBED)
class BatchItemResult(TypedDict):
    """What has come of one item: a line of the results."""

    index: Count
    """Its place in the request, from 0."""
    custom_id: str | None
    """Your name for it."""
    job_id: JobId | None
    """Null for an item that has not become a job."""
    status: ItemStatus
    parameters: Parameters
    result: list[Text] | None
    usage: Usage | None
    error: JobError | None
