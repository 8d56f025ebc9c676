"""Whom a client wants told of its job or batch, and what has come of it so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit


class WebhookEvent(StrEnum):
    STARTED = "started"  #: A worker has begun with the job, for the first time.
    COMPLETED = "completed"  #: The job or batch has ended, in whatever way.


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """`url` may hold a token: logs and metrics see nothing of it, or the host alone."""

    url: str
    events: tuple[WebhookEvent, ...] = (WebhookEvent.COMPLETED,)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookDelivery:
    """One event on its way to its receiver. Times are Unix seconds by the clock of Redis."""

    event: WebhookEvent
    attempts: int  #: Begun so far.
    status: int | None  #: Of the last answer.
    code: str | None  #: What was wrong with the last attempt.
    next_at: float | None  #: When the next attempt is due; None when it is over.
    delivered_at: float | None


def encode_webhook(webhook: Webhook | None) -> dict[str, str]:
    """The fields of a record; none without a webhook."""
    if webhook is None:
        return {}
    return {
        "webhook": webhook.url,
        "webhook_host": webhook.host,
        "webhook_events": " ".join(webhook.events),
    }


def decode_webhook(record: Mapping[str, str]) -> Webhook | None:
    url = record.get("webhook")
    if not url:
        return None
    events = record.get("webhook_events", "").split()
    return Webhook(url=url, events=tuple(WebhookEvent(each) for each in events))


def decode_deliveries(record: Mapping[str, str]) -> tuple[WebhookDelivery, ...]:
    return tuple(
        _decode_delivery(event, json.loads(record[f"webhook_{event}"]))
        for event in WebhookEvent
        if f"webhook_{event}" in record
    )


def _decode_delivery(event: WebhookEvent, values: Mapping[str, Any]) -> WebhookDelivery:
    status = values.get("status")
    return WebhookDelivery(
        event=event,
        attempts=int(values["attempts"]),
        status=None if status is None else int(status),
        code=values.get("code"),
        next_at=_seconds(values.get("next_at")),
        delivered_at=_seconds(values.get("delivered_at")),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
