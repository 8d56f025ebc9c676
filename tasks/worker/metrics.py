"""What the worker counts, and the port that shows it."""

from __future__ import annotations

import logging
import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.process_collector import ProcessCollector

from tasks.engine.types import StepStats

log = logging.getLogger(__name__)

#: Seconds; generation takes from milliseconds (cached, tiny) to minutes (queues, long texts).
LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
STEP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


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
        self.jobs = Counter(
            "neoserve_worker_jobs_total", "Jobs that ended here.", ["outcome", "code"], registry=registry
        )
        self.stale_writes = Counter(
            "neoserve_worker_stale_writes_total",
            "Jobs whose record refused this worker's write: another attempt owned them.",
            registry=registry,
        )
        self.store_failures = Counter(
            "neoserve_worker_store_failures_total", "Exchanges with Redis that failed.", registry=registry
        )
        self.engine_steps = Counter("neoserve_engine_steps_total", "Steps of the engine.", registry=registry)
        self.step_seconds = Histogram(
            "neoserve_engine_step_seconds", "One engine step.", buckets=STEP_BUCKETS, registry=registry
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
        self.tokens_generated = Counter(
            "neoserve_worker_generated_tokens_total", "Tokens of jobs that ended here.", registry=registry
        )
        self.queue_seconds = Histogram(
            "neoserve_worker_queue_seconds",
            "From submit to the engine (clocks of Redis and of this machine).",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.first_token_seconds = Histogram(
            "neoserve_worker_first_token_seconds",
            "From submit to the first token (clocks of Redis and of this machine).",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.generation_seconds = Histogram(
            "neoserve_worker_generation_seconds",
            "From the engine's start on a job to its end.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )

    def describe(self, model: str, fingerprint: str, slots: int, load_seconds: float) -> None:
        self.model_info.labels(model, fingerprint).set(1)
        self.slots.set(slots)
        self.model_load_seconds.set(load_seconds)

    def observe_step(self, stats: StepStats) -> None:
        self.engine_steps.inc()
        self.step_seconds.observe(stats.seconds)
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
        server, thread = start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        log.warning("metrics port %s:%d cannot be used, going on without metrics: %s", host, port, error)
        return None
    return MetricsServer(server, thread)
