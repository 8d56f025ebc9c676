"""How a worker starts and stops."""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, signals
from celery.concurrency import get_implementation
from celery.concurrency.thread import TaskPool

from tasks.engine.loop import EngineThread
from tasks.engine.types import GenerationRequest
from tasks.jobs.connection import absence
from tasks.jobs.errors import JobsError
from tasks.model.errors import ModelError
from tasks.worker.health_file import health_file
from tasks.worker.logs import configure_logging, keep_pending_deprecations_quiet
from tasks.worker.metrics import MetricsServer, serve_metrics
from tasks.worker.parts import Parts
from tasks.worker.served_model import ServedModel, load_model, use_threads
from tasks.worker.settings import WorkerSettings
from tasks.worker.wakeup import WakingThreadPool

log = logging.getLogger(__name__)

WARM_UP_TOKENS = 4
SWITCH_SECONDS = 0.0005
WAITING_LINE_SECONDS = 3


class Lifecycle:
    """Starts and stops the parts of one worker process, at the moments that Celery's signals mark."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._controller: Any = None  # Celery's WorkController.
        self._metrics_server: MetricsServer | None = None

    def connect(self, app: Celery) -> None:
        """Be called when a worker of this application starts. Starts nothing itself."""

        def on_init(sender: Any, **_: Any) -> None:
            if sender.app is app:
                self._on_init(sender)

        signals.worker_init.connect(on_init, weak=False)

    def run_next(self, rung_by: str) -> None:
        """Claim the next job, if there is one, and bring it to its end."""
        self._parts.jobs.run_next(rung_by)

    def _on_setup_logging(self, **_: Any) -> None:
        configure_logging(self._settings.log_level, self._settings.log_format)

    def _on_init(self, controller: Any) -> None:
        configure_logging(self._settings.log_level, self._settings.log_format)
        signals.setup_logging.connect(self._on_setup_logging, weak=False)
        signals.worker_ready.connect(self._on_ready, weak=False)
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)
        signals.worker_shutdown.connect(self._on_shutdown, weak=False)
        with _exiting_on_failure():
            self._controller = controller
            controller.pool_cls = _required_pool(controller.pool_cls)
            self._load()
            self._join_fleet()

    def _load(self) -> None:
        """Model and engine, ready and warm."""
        started = time.monotonic()
        threads = use_threads(self._settings.threads)
        file = health_file(self._settings.health_file)
        if file is not None:
            file.remove()  # A predecessor that was killed left it behind.
        model = load_model(self._settings)
        self._parts = parts = Parts(
            self._settings, model, health_file=file, wake=self._wake, num_ticks=self._num_ticks
        )
        threading.excepthook = parts.breakdown.thread_died
        # Between two calls of the kernels the engine's thread waits for its turn: Python's 5 ms are a quarter
        # of a step.
        sys.setswitchinterval(SWITCH_SECONDS)
        parts.engine.start()
        _warm_up(parts.engine, parts.model)
        seconds = time.monotonic() - started
        parts.metrics.describe(parts.model.model_id, parts.model.fingerprint, parts.slots, seconds)
        log.info("model %s is warm after %.1f s, threads=%d", parts.model.model_id, seconds, threads)
        parts.watch.start()
        # Not earlier: a process that is about to end must not look like one that hangs.
        atexit.register(parts.health.vanish)

    def _join_fleet(self) -> None:
        """Be known to Redis, which may have to be waited for."""
        settings, parts = self._settings, self._parts
        parts.writer.start()
        while not parts.writer.wait_announced(WAITING_LINE_SECONDS):
            absent = absence(parts.store.client, settings.redis_url)
            log.warning(absent or f"Redis answers, registering: {parts.writer.last_error}")
        if parts.tracer is not None:
            parts.tracer.start()
        parts.reaper.start()
        parts.drain.start()
        self._metrics_server = serve_metrics(parts.metrics, settings.metrics_host, settings.metrics_port)

    def _on_ready(self, **_: Any) -> None:
        keep_pending_deprecations_quiet()
        # Also when a remote control command or a broken consumer ends the worker.
        self._controller.pool.on_closing = self._parts.drain.begin
        # Celery starts a second worker in its place when the terminal is closed, and its cold shutdown waits
        # for a threads pool without limit: both drain as well.
        for number in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.getsignal(signal.SIGTERM))
        worker, model, slots = self._parts.worker, self._parts.model, self._parts.slots
        named = f"model={model.model_id} fingerprint={model.fingerprint} precision={model.precision}"
        sys.stdout.write(f"worker ready: worker={worker} {named} slots={slots}\n")
        sys.stdout.flush()
        self._parts.health.become_ready()

    def _wake(self) -> None:
        pool: WakingThreadPool | None = self._controller.pool
        if pool is not None:  # As long as Celery has not come that far.
            pool.wake()

    def _num_ticks(self) -> int:
        pool: WakingThreadPool | None = self._controller.pool
        return 0 if pool is None else pool.num_ticks

    def _on_shutting_down(self, **_: Any) -> None:
        self._parts.drain.begin()

    def _on_shutdown(self, **_: Any) -> None:
        """The pool is empty; everything else stops in the reverse order of its start."""
        parts = self._parts
        parts.reaper.stop()
        parts.writer.stop()
        parts.engine.stop()
        try:
            parts.store.retire_worker(parts.worker)
        except JobsError as error:
            log.warning("leaving without a word, the lease runs out: %s", error)
        parts.ring.close()
        if self._metrics_server is not None:
            self._metrics_server.stop()
        if parts.tracer is not None:
            parts.tracer.stop()
        parts.watch.stop()
        parts.drain.finished()


def _required_pool(requested: Any) -> type[TaskPool]:
    """The threads pool that wakes the consumer, also where `-P threads` names Celery's own."""
    pool = get_implementation(requested)
    if pool is TaskPool or issubclass(pool, WakingThreadPool):
        return WakingThreadPool if pool is TaskPool else pool
    sys.exit("neoserve worker: one process holds one model, so only the threads pool works: leave -P away")


def _warm_up(engine: EngineThread, model: ServedModel) -> None:
    """Generate once, so that the first job does not pay for what happens only once. Raises what it raises."""
    request = GenerationRequest(
        request_id="warm-up", prompt_ids=model.encode("Once upon a time"), max_new_tokens=WARM_UP_TOKENS
    )
    generation = engine.submit(request)
    generation.wait()
    if generation.error is not None:
        raise generation.error


@contextmanager
def _exiting_on_failure() -> Iterator[None]:
    """Celery logs what a receiver raises and goes on: a worker without a model would take jobs."""
    try:
        yield
    except ModelError as error:
        sys.exit(f"neoserve worker: {error}")
    except Exception as error:
        log.critical("the worker cannot start", exc_info=True)
        raise SystemExit(1) from error
