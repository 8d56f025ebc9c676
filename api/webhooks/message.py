"""What a receiver gets."""

from __future__ import annotations

from typing import Any

from api.batch_render import render_batch
from api.render import compact_json, render_job, render_time
from tasks.jobs.batch import Batch
from tasks.jobs.webhook import WebhookEvent
from tasks.jobs.webhook_queue import DueDelivery


def message_id(due: DueDelivery) -> str:
    """The same for every attempt: by it a receiver knows what it has already."""
    return f"{due.id}_{due.event}"


def message_body(due: DueDelivery) -> bytes:
    """The job or batch as its address shows it, without the log of its deliveries: that would differ from
    one attempt to the next."""
    about = due.about
    data: dict[str, Any] = dict(render_batch(about) if isinstance(about, Batch) else render_job(about))
    del data["webhook_deliveries"]
    kind = "batch" if isinstance(about, Batch) else "job"
    happened = data["started_at" if due.event is WebhookEvent.STARTED else "completed_at"]
    body = {
        "type": f"{kind}.{due.event}",
        "timestamp": happened or render_time(about.created_at),
        "data": data,
    }
    return compact_json(body).encode()
