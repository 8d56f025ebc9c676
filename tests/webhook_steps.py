"""The steps of a delivery as tests write them."""

from __future__ import annotations

from typing import Any

from tasks.jobs.webhook import Webhook, WebhookEvent
from tasks.jobs.webhook_queue import DueDelivery, WebhookQueue

HOST = "hooks.example.com"
BOTH = (WebhookEvent.STARTED, WebhookEvent.COMPLETED)


def to(host: str = HOST, *events: WebhookEvent) -> Webhook:
    return Webhook(url=f"https://{host}/told?token=s3cret", events=events or (WebhookEvent.COMPLETED,))


def claim_deliveries(queue: WebhookQueue, **changes: Any) -> list[DueDelivery]:
    values: dict[str, Any] = {"most": 100, "room": {HOST: 100}, "max_attempts": 11}
    return queue.claim(**{**values, **changes})


def names(due: list[DueDelivery]) -> list[str]:
    return [f"{each.id} {each.event} {each.attempt}" for each in due]
