"""The composition root of a worker: what it is made of, and how it starts and stops."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, signals
from celery.concurrency import get_implementation
from celery.concurrency.thread import TaskPool

from tasks.engine.engine import Engine
from tasks.engine.loop import EngineThread
from tasks.engine.scheduler import Scheduler
from tasks.engine.types import GenerationRequest, StepStats
from tasks.jobs.card import ModelCard
from tasks.jobs.connection import absence, connect
from tasks.jobs.errors import JobsError, RingFailed
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tasks.model.errors import ModelError
from tasks.worker.drain import Drain
from tasks.worker.gate import Gate
from tasks.worker.generate import JobRunner
from tasks.worker.held import Ending, HeldJob
from tasks.worker.logs import configure_logging, keep_pending_deprecations_quiet
from tasks.worker.metrics import MetricsServer, WorkerMetrics, serve_metrics
from tasks.worker.report import JobReport
from tasks.worker.served_model import ServedModel, load_model, use_threads
from tasks.worker.settings import WorkerSettings
from tasks.worker.wakeup import WakingThreadPool
from tasks.worker.writer import Writer

log = logging.getLogger(__name__)

#: Threads without which the worker does no work; when one dies, the process does.
VITAL_THREADS = ("engine", "writer")
EXIT_BROKEN = 70
WARM_UP_TOKENS = 4
WAITING_LINE_SECONDS = 3


class Lifecycle:
    """Starts and stops the parts of one worker process, at the moments that Celery's signals mark."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._worker = uuid.uuid4().hex  # A new one per process: leases never outlive it.
        self._metrics = WorkerMetrics()
        self._report = JobReport(self._metrics)
        self._gate = Gate()
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
        self._jobs.run_next(rung_by)

    def _on_setup_logging(self, **_: Any) -> None:
        configure_logging(self._settings.log_level)

    def _on_init(self, controller: Any) -> None:
        configure_logging(self._settings.log_level)
        signals.setup_logging.connect(self._on_setup_logging, weak=False)
        signals.worker_ready.connect(self._on_ready, weak=False)
        signals.worker_shutting_down.connect(self._on_shutting_down, weak=False)
        signals.worker_shutdown.connect(self._on_shutdown, weak=False)
        with _exiting_on_failure():
            self._controller = controller
            controller.pool_cls = _required_pool(controller.pool_cls)
            threading.excepthook = _thread_died
            self._load()
            self._join_fleet()

    def _load(self) -> None:
        """Model and engine, ready and warm."""
        started, slots = time.monotonic(), self._settings.max_batch_size
        threads = use_threads(self._settings.threads)
        self._model: ServedModel = load_model(self._settings)
        runner = self._model.new_runner(slots, self._settings.kv_tokens)
        scheduler = Scheduler(num_slots=slots)
        self._engine = EngineThread(Engine(runner, scheduler, self._model.new_detokenizer), self._on_step)
        self._build_writer()
        self._engine.start()
        _warm_up(self._engine, self._model)
        seconds = time.monotonic() - started
        self._metrics.describe(self._model.model_id, self._model.fingerprint, slots, seconds)
        log.info("model %s is warm after %.1f s, %d threads", self._model.model_id, seconds, threads)

    def _build_writer(self) -> None:
        settings = self._settings
        self._store = JobStore(connect(settings.redis_url), settings.namespace)
        self._ring = CeleryRing(settings.redis_url, settings.namespace)
        self._writer = Writer(
            self._store,
            self._worker,
            announce=self._register,
            on_settled=self._on_settled,
            on_failure=self._metrics.store_failures.inc,
        )
        self._metrics.jobs_held.set_function(lambda: len(self._writer.held))
        self._jobs = JobRunner(
            self._store,
            worker=self._worker,
            fingerprint=self._model.fingerprint,
            encode=self._model.encode,
            submit=self._engine.submit,
            writer=self._writer,
            gate=self._gate,
            pass_on=self._ring_again,
            metrics=self._metrics,
        )

    def _join_fleet(self) -> None:
        """Be known to Redis, which may have to be waited for."""
        settings = self._settings
        self._writer.start()
        while not self._writer.wait_announced(WAITING_LINE_SECONDS):
            log.warning(absence(self._store.client, settings.redis_url) or "Redis answers: registering")
        self._reaper = Reaper(self._store, self._ring)
        self._reaper.start()
        self._drain = Drain(
            grace_seconds=settings.grace_seconds,
            gate=self._gate,
            writer=self._writer,
            wake=self._wake,
            leave=os._exit,
        )
        self._drain.start()
        self._metrics_server = serve_metrics(self._metrics, settings.metrics_host, settings.metrics_port)

    def _register(self) -> None:
        model = self._model
        card = ModelCard(
            model=model.model_id,
            revision=model.revision,
            fingerprint=model.fingerprint,
            max_positions=model.max_positions,
            eos_token_ids=tuple(sorted(model.eos_token_ids)),
            generation_defaults=model.generation_defaults,
            tokenizer_sha256=hashlib.sha256(model.tokenizer_json.encode()).hexdigest(),
        )
        self._store.register_model(card, model.tokenizer_json, self._worker, self._settings.max_batch_size)

    def _on_step(self, stats: StepStats) -> None:
        self._metrics.observe_step(stats)
        self._writer.notify(ended=stats.num_finished > 0)

    def _on_settled(self, held: HeldJob) -> None:
        self._report.settled(held)
        if held.ending is Ending.HANDED_BACK:
            self._ring_again(held.job.id)

    def _ring_again(self, job_id: str) -> None:
        """Another worker shall look at the queue now; without this the reaper makes it, seconds later."""
        try:
            self._ring.ring(job_id)
        except RingFailed as error:
            log.warning("job=%s is queued again, but %s", job_id, error)

    def _on_ready(self, **_: Any) -> None:
        keep_pending_deprecations_quiet()
        # Also when a remote control command or a broken consumer ends the worker.
        self._controller.pool.on_closing = self._drain.begin
        # Celery starts a second worker in its place when the terminal is closed, and its cold shutdown waits
        # for a threads pool without limit: both drain as well.
        for number in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.getsignal(signal.SIGTERM))
        model, slots = self._model, self._settings.max_batch_size
        line = f"worker ready: model={model.model_id} fingerprint={model.fingerprint} slots={slots}\n"
        sys.stdout.write(line)
        sys.stdout.flush()

    def _wake(self) -> None:
        pool: WakingThreadPool | None = self._controller.pool
        if pool is not None:  # As long as Celery has not come that far.
            pool.wake()

    def _on_shutting_down(self, **_: Any) -> None:
        self._drain.begin()

    def _on_shutdown(self, **_: Any) -> None:
        """The pool is empty; everything else stops in the reverse order of its start."""
        self._reaper.stop()
        self._writer.stop()
        self._engine.stop()
        try:
            self._store.retire_worker(self._worker)
        except JobsError as error:
            log.warning("leaving without a word, the lease runs out: %s", error)
        self._ring.close()
        if self._metrics_server is not None:
            self._metrics_server.stop()
        self._drain.finished()


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


def _thread_died(arguments: threading.ExceptHookArgs) -> None:
    """Without engine or writer the process would hold jobs that nobody runs: let its leases run out."""
    threading.__excepthook__(arguments)
    if arguments.thread is not None and arguments.thread.name in VITAL_THREADS:
        os._exit(EXIT_BROKEN)
