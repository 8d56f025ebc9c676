"""The fleet as clients see it."""

from __future__ import annotations

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.values import DESCRIBED, Count, Seconds

Reason = Literal["no_worker", "model_without_worker", "queue_full"]


@with_config(DESCRIBED)
class JobCounts(TypedDict):
    """Jobs by state; those that have ended since the deployment exists."""

    queued: Count
    running: Count
    succeeded: Count
    failed: Count
    canceled: Count
    expired: Count


@with_config(DESCRIBED)
class QueueDepth(TypedDict):
    """What no worker has claimed yet."""

    depth: Count
    """May be more than `limit`, for which the items of batches do not count."""
    limit: Count
    oldest_age_s: Seconds


@with_config(DESCRIBED)
class RunningBatches(TypedDict):
    """Batches that have not ended."""

    running: Count
    items: Count
    """Of theirs that have not ended."""


@with_config(DESCRIBED)
class ByPriority(TypedDict):
    """Jobs that wait, by priority."""

    high: Count
    normal: Count
    low: Count


@with_config(DESCRIBED)
class WaitByPriority(TypedDict):
    """Estimated seconds that a job submitted now waits; null where nothing is known."""

    high: Seconds | None
    normal: Seconds | None
    low: Seconds | None


@with_config(DESCRIBED)
class ModelLoad(TypedDict):
    """A model that is served or waited for."""

    model: str
    fingerprint: str
    workers: Count
    slots: Count
    jobs: Count
    """That its workers hold."""
    queued: ByPriority
    tokens_per_s: Seconds | None
    """The measured pace, of tokens asked for."""
    estimated_wait_s: WaitByPriority


@with_config(DESCRIBED)
class WorkerLoad(TypedDict):
    """A live worker."""

    id: str
    model: str
    slots: Count
    jobs: Count
    """That it holds."""
    running: Count


@with_config(DESCRIBED)
class Health(TypedDict):
    """The whole fleet."""

    status: Literal["ok", "degraded"]
    reasons: list[Reason]
    """Why it is `degraded`."""
    jobs: JobCounts
    queue: QueueDepth
    batches: RunningBatches
    models: list[ModelLoad]
    workers: list[WorkerLoad]
