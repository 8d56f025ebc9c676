"""The queue's gauges, read from the store when somebody scrapes, in this one place."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.health import estimate_wait
from api.job_families import job_families
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.fleet import Fleet
from tasks.jobs.models import Priority
from tasks.jobs.stats import StoreStats
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
                stats, counters = self._store.stats(), self._store.counters()
                fleet = self._store.fleet()
        except StoreUnavailable:
            yield gauge("neoserve_store_up", "1 while the job store answers.", 0)
            return
        yield gauge("neoserve_store_up", "1 while the job store answers.", 1)
        yield jobs(stats)
        yield queue_depth(stats)
        yield estimated_wait(fleet)
        yield from single_gauges(stats)
        yield from job_families(counters, stats.num_stale_finishes)


def jobs(stats: StoreStats) -> Metric:
    family = GaugeMetricFamily(
        "neoserve_jobs", "Jobs that have not ended, by state and priority.", labels=["state", "priority"]
    )
    waiting = dict.fromkeys(Priority, 0)
    for (_, priority), number in stats.queued.items():
        waiting[priority] += number
    for priority in Priority:
        running = stats.running[priority]
        family.add_metric(["queued", priority], waiting[priority] + stats.held[priority] - running)
        family.add_metric(["running", priority], running)
    return family


def queue_depth(stats: StoreStats) -> Metric:
    family = GaugeMetricFamily(
        "neoserve_queue_depth",
        "Jobs no worker has claimed yet, by model fingerprint and priority.",
        labels=["fingerprint", "priority"],
    )
    for fingerprint in sorted({*stats.fingerprints, *(each for each, _ in stats.queued)}):
        for priority in Priority:
            family.add_metric([fingerprint, priority], stats.queued.get((fingerprint, priority), 0))
    return family


def estimated_wait(fleet: Fleet) -> Metric:
    family = GaugeMetricFamily(
        "neoserve_queue_estimated_wait_seconds",
        "Until a job submitted now would start; absent without a worker and where nothing was measured.",
        labels=["fingerprint", "priority"],
    )
    for model in fleet.models:
        for priority in Priority:
            seconds = estimate_wait(model, priority, fleet)
            if seconds is not None:
                family.add_metric([model.fingerprint, priority], seconds)
    return family


def single_gauges(stats: StoreStats) -> Iterator[Metric]:
    yield gauge(
        "neoserve_queue_oldest_age_seconds",
        "Age of the oldest job no worker has claimed; 0 when there is none.",
        stats.oldest_queued_seconds,
    )
    yield gauge(
        "neoserve_job_expired_leases",
        "Claimed jobs whose lease has run out and that no reaper has taken yet.",
        stats.num_expired_leases,
    )
    yield gauge("neoserve_workers", "Workers with a heartbeat.", stats.num_workers)
    yield gauge("neoserve_batches", "Batches that have not ended.", stats.num_batches)
    yield gauge(
        "neoserve_batch_items_waiting", "Items of batches that are not jobs yet.", stats.num_items_waiting
    )
    yield gauge("neoserve_webhooks", "Deliveries to webhooks that are not over.", stats.num_webhooks)
    yield gauge(
        "neoserve_webhooks_late_seconds",
        "By how much the delivery that is due first is late; 0 when none is.",
        stats.webhooks_late_seconds,
    )


def gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)
