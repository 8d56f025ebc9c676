"""The thread that tells the record what happens in this worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.protocol import Claim, Outcome, StepAnswer, StepEntry
from tasks.worker.held import Ending, HeldJob

log = logging.getLogger(__name__)

#: At least this much time between two exchanges: at most 20 a second.
MIN_GAP_SECONDS = 0.05
#: Without news, an exchange this often: it renews the leases and asks for cancels.
HEARTBEAT_SECONDS = 0.25


class Record(Protocol):
    """The part of the job store that the writer uses."""

    def step(self, worker: str, entries: list[StepEntry]) -> list[StepAnswer]: ...

    def finish(self, worker: str, job_id: str, attempt: int, outcome: Outcome) -> bool: ...

    def release(self, worker: str, job_id: str, attempt: int) -> bool: ...


class Writer:
    """Heartbeat, token stream, cancel channel and results of all held jobs, in one exchange at a time.

    Redis being away changes nothing for the jobs: their text and outcome wait here until it answers.
    `announce` registers this worker: before the first exchange and after every outage, since the server may
    have come back without its data. `on_settled` is called once for each job, `on_failure` for each exchange
    that failed; all three in the writer thread.
    """

    def __init__(
        self,
        record: Record,
        worker: str,
        *,
        announce: Callable[[], None],
        on_settled: Callable[[HeldJob], None],
        on_failure: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._record = record
        self._worker = worker
        self._announce = announce
        self._on_settled = on_settled
        self._on_failure = on_failure
        self._clock = clock
        self._held: dict[tuple[str, int], HeldJob] = {}
        self._lock = threading.Lock()
        self._announced = threading.Event()
        self._ever_announced = False
        self._outage = False
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def hold(self, claim: Claim) -> HeldJob:
        """From now on the claim's lease is renewed, until the job is settled."""
        held = HeldJob(claim, self._clock())
        with self._lock:
            self._held[held.job.id, held.attempt] = held
        self.notify()
        return held

    def notify(self) -> None:
        """Something happened that the record should know soon. From any thread, cheap."""
        self._news.set()

    @property
    def held(self) -> tuple[HeldJob, ...]:
        with self._lock:
            return tuple(self._held.values())

    def hand_back(self) -> None:
        """Give every job that is not over back to the queue; others run it."""
        for held in self.held:
            held.end(Ending.HANDED_BACK)
        self.notify()

    def abandon(self) -> None:
        """Nobody waits for these jobs any more: the process ends, their leases run out, others run them."""
        for held in self.held:
            held.settled.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the exchange that is running. Settle all jobs first, or their leases expire."""
        self._stopping.set()
        self.notify()
        self._thread.join()

    def wait_announced(self, timeout: float) -> bool:
        return self._announced.wait(timeout)

    def exchange(self) -> bool:
        """One exchange with the record; whether it answered. The thread does nothing but this."""
        try:
            if not self._announced.is_set():
                self._announce()
                self._announced.set()
                self._ever_announced = True
            self._step()
            self._settle()
        except StoreUnavailable as error:
            self._on_failure()
            # Before that nothing is held, and whoever waits for the server says so.
            if self._ever_announced and not self._outage:
                log.warning("Redis does not answer, keeping everything until it does: %s", error)
            self._outage = True
            self._announced.clear()
            return False
        if self._outage:
            log.warning("Redis answers again")
        self._outage = False
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.exchange()
            self._stopping.wait(MIN_GAP_SECONDS)
            self._news.wait(HEARTBEAT_SECONDS - MIN_GAP_SECONDS)
            self._news.clear()

    def _step(self) -> None:
        jobs, now = self.held, self._clock()
        answers = self._record.step(self._worker, [held.entry(now) for held in jobs])
        for held, answer in zip(jobs, answers, strict=True):
            held.heed(answer)

    def _settle(self) -> None:
        for held in self.held:
            if not held.recordable:
                continue
            self._record_end(held)
            with self._lock:
                del self._held[held.job.id, held.attempt]
            self._on_settled(held)
            held.settled.set()

    def _record_end(self, held: HeldJob) -> None:
        if held.ending is Ending.LOST:
            return
        if held.ending is Ending.HANDED_BACK:
            accepted = self._record.release(self._worker, held.job.id, held.attempt)
        else:
            outcome = held.outcome(self._clock())
            accepted = self._record.finish(self._worker, held.job.id, held.attempt, outcome)
        if not accepted:
            held.end(Ending.LOST)
