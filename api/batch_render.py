"""The batch and its results as clients see them."""

from __future__ import annotations

from typing import cast

from api.answers import batch as answer
from api.answers.job import Parameters, Usage
from api.render import iso_time, render_deliveries, render_error, render_result, render_time
from tasks.jobs.batch import Batch, ItemResult
from tasks.jobs.models import JobStatus
from tasks.jobs.record import as_dict

#: States of an item that has not ended.
UNFINISHED = frozenset({"waiting", JobStatus.QUEUED, JobStatus.RUNNING})


def render_batch(batch: Batch) -> answer.Batch:
    """Every member is always present; what is not known yet is null."""
    return {
        "id": batch.id,
        "status": batch.status.value,
        "created_at": iso_time(batch.created_at),
        "deadline_at": iso_time(batch.deadline_at),
        "completed_at": render_time(batch.completed_at),
        "expires_at": render_time(batch.expires_at),
        "counts": cast(answer.BatchCounts, as_dict(batch.counts)),
        "urls": {
            "self": f"/batches/{batch.id}",
            "results": f"/batches/{batch.id}/results",
            "cancel": f"/batches/{batch.id}/cancel",
        },
        "webhook_deliveries": render_deliveries(batch.deliveries),
        "metadata": dict(batch.metadata),
    }


def render_item(item: ItemResult) -> answer.BatchItemResult:
    """One line of the results."""
    return {
        "index": item.index,
        "custom_id": item.custom_id,
        "job_id": item.job_id,
        "status": cast(answer.ItemStatus, item.status),
        "parameters": cast(Parameters, as_dict(item.parameters)),
        "result": render_result(item),
        "usage": render_usage(item),
        "error": render_error(item.error),
    }


def render_usage(item: ItemResult) -> Usage | None:
    if item.status in UNFINISHED:
        return None
    return {
        "prompt_tokens": item.num_prompt_tokens,
        "completion_tokens": item.num_tokens,
        "total_tokens": item.num_prompt_tokens + item.num_tokens,
    }
