"""What the scripts have counted of all jobs, as Prometheus reads it.

Every series is there from the beginning, at 0: of one that begins with its first event that event is never
seen. So the labels are bounded, whatever the counters hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from tasks.jobs.buckets import LATENCY_BUCKETS, TOKEN_BUCKETS
from tasks.jobs.counters import Counters, Distribution
from tasks.jobs.models import Mode, Priority
from tasks.jobs.webhook_queue import Settlement

PRIORITIES = tuple(Priority)

#: What else a worker may have written is OTHER: one of another version knows codes that this one does not.
OTHER = "other"
CODES_OF_STATUS = {
    "succeeded": ("",),
    "canceled": ("",),
    "expired": ("expired",),
    "failed": (
        *("broken_logits", "deadline_exceeded", "engine_error", "generation_failed", "internal_error"),
        *("invalid_request", "model_unavailable", "out_of_memory", "request_too_long", "worker_lost", OTHER),
    ),
}

#: Those of Settlement, and of deliveries whose job had expired.
WEBHOOK_OUTCOMES = (*Settlement, "expired")


def job_families(counters: Counters, num_stale_finishes: int) -> Iterator[Metric]:
    yield counter(
        counters,
        "submitted",
        "neoserve_jobs_submitted",
        "Jobs recorded.",
        mode=tuple(Mode),
        priority=PRIORITIES,
    )
    yield ended(counters)
    yield counter(
        counters,
        "canceled",
        "neoserve_jobs_canceled",
        "Canceled jobs, by how far they had come.",
        phase=("queued", "claimed", "running"),
    )
    yield counter(
        counters, "attempts", "neoserve_job_attempts", "Claims that got a job.", priority=PRIORITIES
    )
    yield counter(
        counters,
        "redeliveries",
        "neoserve_job_redeliveries",
        "Jobs that went back into the queue.",
        reason=("worker_lost", "handed_back"),
    )
    yield stale_writes(counters.count("stale_steps"), num_stale_finishes)
    yield counter(
        counters, "prompt_tokens", "neoserve_job_prompt_tokens", "Tokens of the prompts of recorded jobs."
    )
    yield counter(
        counters, "generated_tokens", "neoserve_job_generated_tokens", "Tokens generated for ended jobs."
    )
    yield counter(
        counters,
        "webhooks",
        "neoserve_webhook_deliveries",
        "Attempts at telling a webhook, and deliveries that ended without one.",
        outcome=WEBHOOK_OUTCOMES,
    )
    yield from job_histograms(counters)


def job_histograms(counters: Counters) -> Iterator[Metric]:
    yield histogram(
        counters,
        "queue_wait",
        "neoserve_job_queue_wait_seconds",
        "From submit to the engine, of ended jobs.",
        LATENCY_BUCKETS,
        priority=PRIORITIES,
    )
    yield histogram(
        counters,
        "first_token",
        "neoserve_job_time_to_first_token_seconds",
        "From submit to the first token, of ended jobs.",
        LATENCY_BUCKETS,
    )
    yield histogram(
        counters,
        "token",
        "neoserve_job_time_per_output_token_seconds",
        "From one token of a row to the next, the mean of each ended job.",
        TOKEN_BUCKETS,
    )
    yield histogram(
        counters,
        "latency",
        "neoserve_job_latency_seconds",
        "From submit to the end, of all jobs but canceled ones.",
        LATENCY_BUCKETS,
        mode=tuple(Mode),
    )


def counter(
    counters: Counters, series: str, name: str, help_text: str, **labels: Sequence[str]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_text, labels=list(labels))
    for values in product(*labels.values()):
        family.add_metric(values, counters.count(series, *values))
    return family


def ended(counters: Counters) -> CounterMetricFamily:
    family = CounterMetricFamily(
        "neoserve_jobs_ended",
        "Jobs that have ended; `code` is that of the error, empty without one.",
        labels=["status", "code", "priority"],
    )
    numbers: dict[tuple[str, ...], int] = {
        (status, code, priority): 0
        for status, codes in CODES_OF_STATUS.items()
        for code in codes
        for priority in PRIORITIES
    }
    for labels in counters.labels("ended"):
        known = labels if labels in numbers else (labels[0], OTHER, labels[-1])
        if known in numbers:
            numbers[known] += counters.count("ended", *labels)
    for labels, number in numbers.items():
        family.add_metric(labels, number)
    return family


def stale_writes(num_steps: int, num_finishes: int) -> CounterMetricFamily:
    family = CounterMetricFamily(
        "neoserve_job_stale_writes",
        "Writes of attempts that no longer owned their job, refused.",
        labels=["write"],
    )
    family.add_metric(["step"], num_steps)
    family.add_metric(["finish"], num_finishes)
    return family


def histogram(
    counters: Counters,
    series: str,
    name: str,
    help_text: str,
    bounds: Sequence[float],
    **labels: Sequence[str],
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, help_text, labels=list(labels))
    for values in product(*labels.values()):
        found = counters.distribution(series, *values)
        family.add_metric(values, cumulated(found, bounds), found.sum_seconds)
    return family


def cumulated(found: Distribution, bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Also of buckets that another version has: each counts under the next bound that is known here."""
    return [
        (as_label(bound), sum(number for each, number in found.buckets.items() if each <= bound))
        for bound in (*bounds, math.inf)
    ]


def as_label(bound: float) -> str:
    return "+Inf" if bound == math.inf else str(bound)
