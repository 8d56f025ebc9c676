"""What the worker counts, and the port that shows it."""

from __future__ import annotations

import logging
import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from tasks.engine.types import StepStats
from tasks.jobs.buckets import TOKEN_BUCKETS
from tasks.jobs.exposition import serve

log = logging.getLogger(__name__)

CLAIMS = ("claimed", "empty", "unavailable")
PHASES = ("prefill", "decode", "mixed", "idle")


def phase_of(stats: StepStats) -> str:
    """By what the step ran; nothing when it only took out texts that were canceled."""
    if stats.num_decode_rows and stats.num_prefill_tokens:
        return "mixed"
    if stats.num_decode_rows:
        return "decode"
    return "prefill" if stats.num_prefill_tokens else "idle"


class WorkerMetrics:
    """Counters of one worker process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.model_info = Gauge(
            "neoserve_worker_model_info",
            "The model that is served.",
            ["model", "fingerprint"],
            registry=registry,
        )
        self.model_load_seconds = Gauge(
            "neoserve_worker_model_load_seconds", "Loading and warming the model took.", registry=registry
        )
        self.slots = Gauge(
            "neoserve_worker_slots", "Texts generated at the same time at most.", registry=registry
        )
        self.slots_in_use = Gauge(
            "neoserve_worker_slots_in_use", "Texts that the last engine step worked on.", registry=registry
        )
        self.ready = Gauge(
            "neoserve_worker_ready",
            "1 while it takes jobs: warm, known to Redis, not draining.",
            registry=registry,
        )
        self.live_timestamp = Gauge(
            "neoserve_worker_live_timestamp_seconds",
            "When it was last found to make progress, in Unix time.",
            registry=registry,
        )
        self.jobs_held = Gauge(
            "neoserve_worker_jobs_held", "Jobs claimed and not yet ended.", registry=registry
        )
        self.claims = Counter(
            "neoserve_worker_claims_total", "Attempts to claim a job.", ["result"], registry=registry
        )
        self.last_claim_timestamp = Gauge(
            "neoserve_worker_last_claim_timestamp_seconds",
            "When it last claimed a job, in Unix time; 0 before the first.",
            registry=registry,
        )
        self.jobs = Counter(
            "neoserve_worker_jobs_total",
            "Jobs that left this worker.",
            ["outcome", "code"],
            registry=registry,
        )
        self.store_failures = Counter(
            "neoserve_worker_store_failures_total", "Exchanges with Redis that failed.", registry=registry
        )
        self.engine_steps = Counter("neoserve_engine_steps_total", "Steps of the engine.", registry=registry)
        self.step_seconds = Histogram(
            "neoserve_engine_step_seconds",
            "One engine step, by what it ran.",
            ["phase"],
            buckets=TOKEN_BUCKETS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "neoserve_engine_batch_size",
            "Texts in one engine step.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.waiting = Gauge("neoserve_engine_waiting", "Texts that wait for a slot.", registry=registry)
        self.prefill_tokens = Counter(
            "neoserve_engine_prefill_tokens_total", "Prompt tokens run.", registry=registry
        )
        self.prefix_tokens_reused = Counter(
            "neoserve_engine_prefix_tokens_reused_total",
            "Prompt tokens not run because another prompt began with them.",
            registry=registry,
        )
        self.kv_tokens_in_use = Gauge(
            "neoserve_engine_kv_tokens_in_use",
            "Tokens of context reserved by the running texts.",
            registry=registry,
        )
        self.kv_tokens = Gauge(
            "neoserve_engine_kv_tokens", "Tokens of context that there is room for.", registry=registry
        )
        self.decode_tokens = Counter(
            "neoserve_engine_decode_tokens_total", "Rows that wrote on, summed over steps.", registry=registry
        )
        self.new_tokens = Counter("neoserve_engine_new_tokens_total", "Tokens sampled.", registry=registry)
        for result in CLAIMS:
            self.claims.labels(result)
        for phase in PHASES:
            self.step_seconds.labels(phase)

    def describe(self, model: str, fingerprint: str, slots: int, load_seconds: float) -> None:
        self.model_info.labels(model, fingerprint).set(1)
        self.slots.set(slots)
        self.model_load_seconds.set(load_seconds)

    def observe_claim(self, claimed: bool) -> None:
        self.claims.labels("claimed" if claimed else "empty").inc()
        if claimed:
            self.last_claim_timestamp.set_to_current_time()

    def observe_step(self, stats: StepStats) -> None:
        self.engine_steps.inc()
        self.step_seconds.labels(phase_of(stats)).observe(stats.seconds)
        self.batch_size.observe(stats.num_running + stats.num_finished)
        self.prefill_tokens.inc(stats.num_prefill_tokens)
        self.prefix_tokens_reused.inc(stats.num_reused_tokens)
        self.kv_tokens_in_use.set(stats.num_kv_tokens_in_use)
        self.kv_tokens.set(stats.num_kv_tokens)
        self.decode_tokens.inc(stats.num_decode_rows)
        self.new_tokens.inc(stats.num_new_tokens)
        self.waiting.set(stats.num_waiting)
        self.slots_in_use.set(stats.num_running)


class MetricsServer:
    """Serves a registry over HTTP until it is stopped."""

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(metrics: WorkerMetrics, host: str, port: int) -> MetricsServer | None:
    """None where the port is 0 (off) or taken: a worker without metrics still does its work."""
    if port == 0:
        return None
    try:
        server, thread = serve(metrics.registry, host, port)
    except OSError as error:
        log.warning("metrics port %s:%d cannot be used, going on without metrics: %s", host, port, error)
        return None
    return MetricsServer(server, thread)
