"""What the API counts. One registry for each app: nothing is global, and tests do not meet."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from api import metric_files
from tasks.jobs.buckets import LATENCY_BUCKETS

#: Refusals that operators ask for. A series that begins with its first refusal hides that one from `rate()`.
REFUSALS = ("queue_full", "batches_full", "busy", "no_model", "store_unavailable", "store_broken")

HANDOVERS = ("timeout", "busy", "draining", "gone")
STREAM_ENDS = ("done", "draining", "gone", "error")
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def bounded_method(method: str) -> str:
    """Clients may invent methods; a label may not grow without bound."""
    return method if method in KNOWN_METHODS else "other"


class ApiMetrics:
    """The metric objects of one API process, in `registry`; `exposed` is what a scrape gets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.exposed = CollectorRegistry()
        self.exposed.register(AllProcesses(self.registry))
        ProcessCollector(registry=self.exposed)
        PlatformCollector(registry=self.exposed)
        GCCollector(registry=self.exposed)
        self.requests = Counter(
            "neoserve_http_requests",
            "Answered requests; `code` is the problem's code, empty when there was none.",
            ["method", "route", "status", "code"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "neoserve_http_request_seconds",
            "Time from a request's arrival to its answer, with the time the client chose to wait.",
            ["method", "route", "status"],
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.handling_seconds = Histogram(
            "neoserve_request_handling_seconds",
            "Time the server itself needed for a request: without the time spent waiting for the job.",
            ["method", "route"],
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.waiting_clients = Gauge(
            "neoserve_waiting_clients",
            "Requests that wait for their job now.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.open_streams = Gauge(
            "neoserve_open_streams",
            "Streams of events that are open now.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.streams = Counter(
            "neoserve_streams",
            "Streams that have ended: done (with their job), draining, gone (the client) or error.",
            ["end"],
            registry=self.registry,
        )
        self.handovers = Counter(
            "neoserve_handovers",
            "Waiting calls answered before their job ended: timeout, busy (too many wait), draining, "
            "or gone (the client).",
            ["reason"],
            registry=self.registry,
        )
        self.rejections = Counter(
            "neoserve_rejections",
            "Requests refused, by the reason's code.",
            ["code"],
            registry=self.registry,
        )
        for code in REFUSALS:
            self.rejections.labels(code)
        for reason in HANDOVERS:
            self.handovers.labels(reason)
        for end in STREAM_ENDS:
            self.streams.labels(end)


class AllProcesses(Collector):
    """Where gunicorn's workers keep their figures in files, those of all of them; else of this process."""

    def __init__(self, own: CollectorRegistry) -> None:
        self._own = own
        self._folder = metric_files.folder()

    def describe(self) -> list[Metric]:
        """Nothing: else registering would already read the files."""
        return []

    def collect(self) -> Iterable[Metric]:
        return self._own.collect() if self._folder is None else metric_files.read(self._folder)
