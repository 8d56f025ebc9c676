"""The queue at one moment, for metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.jobs.models import Priority


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreStats:
    queued: Mapping[tuple[str, Priority], int]  #: By fingerprint and priority, unclaimed; none that are 0.
    held: Mapping[Priority, int]  #: Claimed by a worker; those that run are among them.
    running: Mapping[Priority, int]
    fingerprints: Sequence[str]  #: Of the models that had a worker in the last ten minutes.
    oldest_queued_seconds: float  #: Age of the oldest unclaimed job; 0 when none waits.
    num_workers: int  #: With a heartbeat within their lease.
    num_expired_leases: int  #: Of jobs that the reaper has not taken from their workers yet.
    num_batches: int  #: That have not ended.
    num_items_waiting: int  #: Of these batches, not jobs yet.
    num_webhooks: int  #: Deliveries that are not over.
    webhooks_late_seconds: float  #: By how much the first of them is late; 0 when none is.
    num_stale_finishes: int  #: Late writes refused since the namespace exists.

    @property
    def num_held(self) -> int:
        return sum(self.held.values())

    @property
    def num_running(self) -> int:
        return sum(self.running.values())


def decode_stats(answer: Sequence[Any]) -> StoreStats:
    """From the answer of `stats.lua`."""
    oldest_ms, workers, stale, expired, batches, items_waiting, *rest = answer
    deliveries, late_ms, held, running, lately, queues = rest
    return StoreStats(
        queued={(fingerprint, Priority(priority)): number for fingerprint, priority, number in queues},
        held=dict(zip(Priority, held, strict=True)),
        running=dict(zip(Priority, running, strict=True)),
        fingerprints=lately,
        oldest_queued_seconds=oldest_ms / 1000,
        num_workers=workers,
        num_expired_leases=expired,
        num_batches=batches,
        num_items_waiting=items_waiting,
        num_webhooks=deliveries,
        webhooks_late_seconds=late_ms / 1000,
        num_stale_finishes=stale,
    )
