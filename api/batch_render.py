"""The batch and its results as clients see them."""

from __future__ import annotations

from typing import Any

from api.render import render_result, render_time
from tasks.jobs.batch import Batch, ItemResult
from tasks.jobs.models import JobStatus
from tasks.jobs.record import as_dict

#: States of an item that has not ended.
UNFINISHED = frozenset({"waiting", JobStatus.QUEUED, JobStatus.RUNNING})


def render_batch(batch: Batch) -> dict[str, Any]:
    """Every member is always present; what is not known yet is null."""
    return {
        "id": batch.id,
        "status": batch.status.value,
        "created_at": render_time(batch.created_at),
        "deadline_at": render_time(batch.deadline_at),
        "completed_at": render_time(batch.completed_at),
        "expires_at": render_time(batch.expires_at),
        "counts": as_dict(batch.counts),
        "urls": {
            "self": f"/batches/{batch.id}",
            "results": f"/batches/{batch.id}/results",
            "cancel": f"/batches/{batch.id}/cancel",
        },
        "metadata": dict(batch.metadata),
    }


def render_item(item: ItemResult) -> dict[str, Any]:
    """One line of the results."""
    return {
        "index": item.index,
        "custom_id": item.custom_id,
        "job_id": item.job_id,
        "status": item.status,
        "parameters": as_dict(item.parameters),
        "result": render_result(item),
        "usage": render_usage(item),
        "error": as_dict(item.error) if item.error else None,
    }


def render_usage(item: ItemResult) -> dict[str, int] | None:
    if item.status in UNFINISHED:
        return None
    return {
        "prompt_tokens": item.num_prompt_tokens,
        "completion_tokens": item.num_tokens,
        "total_tokens": item.num_prompt_tokens + item.num_tokens,
    }
