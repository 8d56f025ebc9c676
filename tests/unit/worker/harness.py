"""A worker without Celery: store on fakeredis, scripted model, the real engine thread and writer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tasks.engine.engine import Engine
from tasks.engine.loop import EngineThread
from tasks.engine.scheduler import Scheduler
from tasks.engine.scripted import ScriptedDetokenizer, ScriptedRunner
from tasks.engine.types import StepStats
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.models import Job
from tasks.jobs.protocol import Claim, FinishEntry, StepAnswer, StepEntry
from tasks.jobs.store import JobStore
from tasks.worker.gate import Gate
from tasks.worker.generate import JobRunner
from tasks.worker.held import HeldJob
from tasks.worker.metrics import WorkerMetrics
from tasks.worker.report import JobReport
from tasks.worker.writer import Writer
from tests.factories import FINGERPRINT, make_card, make_new_job

WORKER = "worker-1"


class FaultyStore:
    """The store behind a bad network: the next calls may not arrive, or their replies get lost."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.requests_to_lose: deque[str] = deque()  #: Names of calls that do not arrive, each once.
        self.replies_to_lose: deque[str] = (
            deque()
        )  #: Names of calls that work without the caller learning it.
        self.away = False
        self.steps: list[Sequence[StepEntry]] = []  #: Those that arrived.
        self.finishes: list[list[str]] = []  #: Ids of the jobs in each that arrived.

    def step(self, worker: str, entries: Sequence[StepEntry]) -> list[StepAnswer]:
        def arrive() -> list[StepAnswer]:
            self.steps.append(entries)
            return self._store.step(worker, entries)

        answers: list[StepAnswer] = self._call("step", arrive)
        return answers

    def finish_all(self, worker: str, entries: Sequence[FinishEntry]) -> list[bool]:
        def arrive() -> list[bool]:
            self.finishes.append([entry.job_id for entry in entries])
            return self._store.finish_all(worker, entries)

        accepted: list[bool] = self._call("finish", arrive)
        return accepted

    def release(self, worker: str, job_id: str, attempt: int) -> bool:
        return bool(self._call("release", lambda: self._store.release(worker, job_id, attempt)))

    def claim_next(self, worker: str, fingerprint: str, nonce: str) -> Claim | None:
        claim: Claim | None = self._call(
            "claim_next", lambda: self._store.claim_next(worker, fingerprint, nonce)
        )
        return claim

    def _call(self, name: str, arrive: Callable[[], Any]) -> Any:
        if self.away or (self.requests_to_lose and self.requests_to_lose[0] == name):
            if not self.away:
                self.requests_to_lose.popleft()
            raise StoreUnavailable
        answer = arrive()
        if self.replies_to_lose and self.replies_to_lose[0] == name:
            self.replies_to_lose.popleft()
            raise StoreUnavailable
        return answer


class Steps:
    """Lets the engine take as many steps as the test wants."""

    def __init__(self) -> None:
        self._allowed = threading.Semaphore(0)
        self._free = False

    def allow(self, number: int) -> None:
        self._allowed.release(number)

    def allow_all(self) -> None:
        self._free = True
        self._allowed.release()

    def __call__(self) -> None:
        if not self._free:
            self._allowed.acquire()


class Worker:
    """The parts of a worker, wired as `Parts` does. The writer's thread is not started: `exchange`."""

    def __init__(self, store: JobStore, *, num_slots: int = 4, **runner_options: Any) -> None:
        self.store = store
        self.faulty = FaultyStore(store)
        self.steps = Steps()
        self.gate = Gate()
        self.metrics = WorkerMetrics()
        self.num_announced = 0
        self.passed_on: list[str] = []
        self.runner = ScriptedRunner(num_slots=num_slots, before_step=self.steps, **runner_options)
        engine = Engine(self.runner, Scheduler(num_slots=num_slots), ScriptedDetokenizer)
        self.engine = EngineThread(engine, self._on_step)
        self.writer = Writer(
            self.faulty,
            WORKER,
            announce=self._announce,
            on_settled=JobReport(self.metrics).settled,
            on_failure=self.metrics.store_failures.inc,
        )
        self.encode: Callable[[str], tuple[int, ...]] = lambda text: tuple(text.encode())
        self.jobs = JobRunner(
            self.faulty,
            worker=WORKER,
            fingerprint=FINGERPRINT,
            encode=lambda text: self.encode(text),
            submit=self.engine.submit,
            writer=self.writer,
            gate=self.gate,
            pass_on=self.passed_on.append,
            metrics=self.metrics,
        )
        self._threads: list[threading.Thread] = []
        self.engine.start()

    def _on_step(self, stats: StepStats) -> None:
        if stats.num_finished or stats.num_first_tokens:
            self.writer.notify()

    def _announce(self) -> None:
        self.num_announced += 1
        self.store.register_model(make_card(), "{}", WORKER, slots=self.runner.num_slots)

    def ring(self) -> threading.Thread:
        """What a ring does in the real worker: a thread of the pool runs the next job."""
        thread = threading.Thread(target=self.jobs.run_next, args=("rung",), daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    def submit(self, id: str, **changes: Any) -> Job:
        return self.store.submit(make_new_job(id, **changes), max_queued=1000).job

    def held(self, job_id: str) -> HeldJob | None:
        return next((held for held in self.writer.held if held.job.id == job_id), None)

    def close(self) -> None:
        self.gate.close()
        self.writer.abandon()
        self.steps.allow_all()
        self.engine.stop()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a pool thread would hang for ever"

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
