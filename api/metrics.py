"""What the API counts. One registry for each app: nothing is global, and tests do not meet."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

#: Seconds. A generation may take minutes, so the buckets reach well beyond the usual ten seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def bounded_method(method: str) -> str:
    """Clients may invent methods; a label may not grow without bound."""
    return method if method in KNOWN_METHODS else "other"


class ApiMetrics:
    """The metric objects of one API process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
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
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.handling_seconds = Histogram(
            "neoserve_request_handling_seconds",
            "Time the server itself needed for a request: without the time spent waiting for the job.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.waiting_clients = Gauge(
            "neoserve_waiting_clients", "Requests that wait for their job now.", registry=self.registry
        )
        self.open_streams = Gauge(
            "neoserve_open_streams", "Streams of events that are open now.", registry=self.registry
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
