"""The queue's gauges, read from the store when somebody scrapes, in this one place."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.protocol import StoreStats
from tasks.jobs.store import JobStore

#: Prometheus gives up after 10 seconds, and then it has none of the other figures either.
SCRAPE_SECONDS = 4.0


class QueueCollector(Collector):
    """Every API process reports the same queue: take the maximum over them, never the sum."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def describe(self) -> list[Metric]:
        """Nothing: else registering would already ask the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            with time_limit(SCRAPE_SECONDS):
                stats = self._store.stats()
        except StoreUnavailable:
            yield gauge("neoserve_store_up", "1 while the job store answers.", 0)
            return
        yield gauge("neoserve_store_up", "1 while the job store answers.", 1)
        yield from queue_gauges(stats)


def queue_gauges(stats: StoreStats) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("neoserve_jobs", "Jobs that have not ended, by state.", labels=["state"])
    num_queued = sum(stats.queued.values()) + stats.num_held - stats.num_running
    jobs.add_metric(["queued"], num_queued)
    jobs.add_metric(["running"], stats.num_running)
    yield jobs
    depth = GaugeMetricFamily(
        "neoserve_queue_depth",
        "Jobs no worker has claimed yet, by model fingerprint and priority.",
        labels=["fingerprint", "priority"],
    )
    for (fingerprint, priority), count in stats.queued.items():
        depth.add_metric([fingerprint, priority.value], count)
    yield depth
    yield gauge(
        "neoserve_queue_oldest_age_seconds",
        "Age of the oldest job no worker has claimed; 0 when there is none.",
        stats.oldest_queued_seconds,
    )
    yield gauge("neoserve_workers", "Workers with a heartbeat.", stats.num_workers)
    yield gauge(
        "neoserve_stale_finishes",
        "Late writes of lost attempts that the store has refused since the deployment exists.",
        stats.num_stale_finishes,
    )


def gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)
