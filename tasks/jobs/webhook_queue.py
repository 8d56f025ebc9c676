"""The deliveries that are due. The rules are in the scripts; this is their typed face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis

from tasks.jobs.batch import Batch, decode_batch
from tasks.jobs.models import Job
from tasks.jobs.record import decode_job
from tasks.jobs.script import Argument, Scripts
from tasks.jobs.webhook import Webhook, WebhookEvent

#: An attempt that nobody has settled by then is made again, by whoever comes first.
DELIVERY_LEASE_SECONDS = 60.0


class Settlement(StrEnum):
    DELIVERED = "delivered"  #: The receiver has it.
    FAILED = "failed"  #: Once more, later.
    REFUSED = "refused"  #: The receiver wants no more of it.
    GIVEN_UP = "given_up"  #: It was tried often enough.


@dataclass(frozen=True, kw_only=True, slots=True)
class DueDelivery:
    """One attempt that is the caller's until its lease is over."""

    id: str  #: Of the job or batch.
    event: WebhookEvent
    attempt: int  #: Fencing token: 1 is the first.
    about: Job | Batch
    webhook: Webhook


class WebhookQueue:
    """Any number of processes take from it, and none has to come back: what one took and did not settle is
    due again after its lease. Every method raises StoreUnavailable. Thread-safe."""

    def __init__(self, client: redis.Redis, namespace: str = "neoserve") -> None:
        self._scripts = Scripts(client, namespace)

    def claim(
        self,
        *,
        most: int,
        room: Mapping[str, int],
        max_attempts: int,
        lease_seconds: float = DELIVERY_LEASE_SECONDS,
    ) -> list[DueDelivery]:
        """At most `most` deliveries, to each host that `room` names at most so many, to any other one."""
        flat: list[Argument] = [part for pair in room.items() for part in pair]
        lease_ms = round(lease_seconds * 1000)
        answer = self._scripts.run("webhook_claim", lease_ms, most, max_attempts, *flat)
        return [each for each in map(_decode, answer) if each is not None]

    def settle(
        self,
        due: DueDelivery,
        settlement: Settlement,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_seconds: float = 0.0,
    ) -> bool:
        """What has come of the attempt. False: another one has begun since, or it is over."""
        shown = "" if status is None else status
        retry_ms = round(retry_seconds * 1000)
        return bool(
            self._scripts.run(
                "webhook_settle", due.id, due.event, due.attempt, settlement, shown, code or "", retry_ms
            )
        )


def _decode(entry: Sequence[Any]) -> DueDelivery | None:
    """None where somebody has broken the record: it must not keep others from being told."""
    id, event, attempt, kind, record = entry
    try:
        about: Job | Batch = decode_job(record) if kind == "job" else decode_batch(record, 0)
    except (KeyError, TypeError, ValueError):
        return None
    if about.webhook is None:
        return None
    return DueDelivery(id=id, event=WebhookEvent(event), attempt=attempt, about=about, webhook=about.webhook)
