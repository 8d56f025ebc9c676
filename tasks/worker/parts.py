"""The composition root of a worker: what it is made of. Starts nothing."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import uuid
from collections.abc import Callable

from tasks.engine.engine import Engine
from tasks.engine.loop import EngineThread
from tasks.engine.scheduler import Scheduler
from tasks.engine.types import StepStats
from tasks.jobs.card import ModelCard
from tasks.jobs.connection import connect
from tasks.jobs.errors import RingFailed
from tasks.jobs.log_line import LogLine
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tasks.jobs.tracing import tracer_from_env
from tasks.worker.breakdown import Breakdown
from tasks.worker.drain import Drain
from tasks.worker.gate import Gate
from tasks.worker.generate import JobRunner
from tasks.worker.health import Health
from tasks.worker.health_file import HealthFile
from tasks.worker.held import Ending, HeldJob
from tasks.worker.job_spans import JobSpans
from tasks.worker.liveness import Liveness
from tasks.worker.memory import read_memory
from tasks.worker.memory_watch import MemoryWatch
from tasks.worker.metrics import WorkerMetrics
from tasks.worker.report import JobReport
from tasks.worker.served_model import ServedModel
from tasks.worker.settings import WorkerSettings
from tasks.worker.signs import WorkerSigns
from tasks.worker.step_watch import StepWatch
from tasks.worker.watch import Watch
from tasks.worker.writer import Writer

log = logging.getLogger(__name__)


class Parts:
    """The parts of one worker process, wired to each other.

    `wake` makes Celery's event loop notice a shutdown at once, `num_ticks` grows while that loop runs.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        model: ServedModel,
        *,
        health_file: HealthFile | None,
        wake: Callable[[], None],
        num_ticks: Callable[[], int],
    ) -> None:
        self.worker = uuid.uuid4().hex  #: A new one per process: leases never outlive it.
        self.slots = settings.max_batch_size
        self.model = model
        self.metrics = WorkerMetrics()
        self.gate = Gate()
        self.store = JobStore(connect(settings.redis_url), settings.namespace)
        self.ring = CeleryRing(settings.redis_url, settings.namespace)
        self.reaper = Reaper(self.store, self.ring)
        self.engine = self._build_engine(settings)
        self._report = JobReport(self.metrics)
        self.tracer = tracer_from_env(os.environ, "neoserve-worker", self.worker)
        self._spans = JobSpans(self.tracer) if self.tracer is not None else None
        self.writer = Writer(
            self.store,
            self.worker,
            announce=self._register,
            on_settled=self._on_settled,
            on_failure=self.metrics.store_failures.inc,
        )
        self.metrics.jobs_held.set_function(lambda: len(self.writer.held))
        self.jobs = self._build_jobs()
        self.drain = Drain(
            self.worker,
            grace_seconds=settings.grace_seconds,
            gate=self.gate,
            writer=self.writer,
            wake=wake,
            leave=os._exit,
        )
        self.breakdown = Breakdown(gate=self.gate, writer=self.writer, leave=os._exit)
        self.health = Health(health_file, self.metrics, self.gate)
        self.watch = self._build_watch(settings, num_ticks)

    def _build_engine(self, settings: WorkerSettings) -> EngineThread:
        runner = self.model.new_runner(self.slots, settings.kv_tokens, settings.prefix_tokens)
        scheduler = Scheduler(num_slots=self.slots, page_tokens=runner.page_tokens)
        return EngineThread(Engine(runner, scheduler, self.model.new_detokenizer), self._on_step)

    def _build_jobs(self) -> JobRunner:
        return JobRunner(
            self.store,
            worker=self.worker,
            fingerprint=self.model.fingerprint,
            encode=self.model.encode,
            submit=self.engine.submit,
            writer=self.writer,
            gate=self.gate,
            pass_on=self._ring_again,
            metrics=self.metrics,
        )

    def _build_watch(self, settings: WorkerSettings, num_ticks: Callable[[], int]) -> Watch:
        signs = WorkerSigns(
            store=self.store,
            ring=self.ring,
            fingerprint=self.model.fingerprint,
            slots=self.slots,
            gate=self.gate,
            writer=self.writer,
            jobs=self.jobs,
            num_ticks=num_ticks,
        )
        return Watch(
            steps=StepWatch(self.engine, settings.step_limit, self.breakdown.replace),
            # The signal, because Celery has its own part in a drain.
            memory=MemoryWatch(
                settings.memory_share, read_memory, lambda: os.kill(os.getpid(), signal.SIGTERM)
            ),
            liveness=Liveness(signs, log.warning),
            health=self.health,
        )

    def _register(self) -> None:
        model = self.model
        card = ModelCard(
            model=model.model_id,
            revision=model.revision,
            fingerprint=model.fingerprint,
            max_positions=model.max_positions,
            eos_token_ids=tuple(sorted(model.eos_token_ids)),
            generation_defaults=model.generation_defaults,
            tokenizer_sha256=hashlib.sha256(model.tokenizer_json.encode()).hexdigest(),
        )
        self.store.register_model(
            card, model.tokenizer_json, self.worker, self.slots, precision=model.precision
        )

    def _on_step(self, stats: StepStats) -> None:
        self.metrics.observe_step(stats)
        if stats.num_finished or stats.num_first_tokens:
            self.writer.notify()

    def _on_settled(self, held: HeldJob) -> None:
        self._report.settled(held)
        if self._spans is not None:
            self._spans.settled(held)
        if held.ending is Ending.HANDED_BACK:
            self._ring_again(held.job.id)

    def _ring_again(self, job_id: str) -> None:
        """Another worker shall look at the queue now; without this the reaper makes it, seconds later."""
        try:
            self.ring.ring(job_id)
        except RingFailed as error:
            log.warning(LogLine(f"is queued again, but {error}", job_id=job_id))
