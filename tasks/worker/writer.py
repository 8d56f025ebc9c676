"""The thread that tells the record what happens in this worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tasks.jobs.errors import StoreBroken, StoreUnavailable
from tasks.jobs.protocol import Claim, FinishEntry, StepEntry, StepReply
from tasks.jobs.stoppable_thread import StoppableThread
from tasks.worker.held import Ending, HeldJob

log = logging.getLogger(__name__)

#: Between two exchanges about all jobs: they renew the leases and ask for cancels. Telling the record of 32
#: jobs 20 times a second took a twentieth of the processor time that generating their texts did.
HEARTBEAT_SECONDS = 0.25


class Record(Protocol):
    """The part of the job store that the writer uses."""

    def step(self, worker: str, entries: Sequence[StepEntry]) -> StepReply: ...

    def finish_all(self, worker: str, entries: Sequence[FinishEntry]) -> list[bool]: ...

    def release(self, worker: str, job_id: str, attempt: int) -> bool: ...


class Writer(StoppableThread):
    """Heartbeat, token stream, cancel channel and results of all held jobs, in one exchange at a time.

    A client waits for every end, so ends are recorded at once, those of one engine step together; so is the
    first token of a job whose events somebody reads, and more of its text soon. All else is told in the next
    exchange. `finish` brings the text that the stream still lacks.

    Redis being away changes nothing for the jobs: their text and outcome wait here until it answers.
    `announce` registers this worker: before the first exchange, after every outage, and when the server turns
    out to have lost its data without one. `on_settled` is called once for each job, `on_failure` for each
    exchange that failed; all three in the writer thread. `stop` waits for the exchange that is
    running: settle all jobs first, or their leases expire.
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
        super().__init__("writer")
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
        self.outage = False  #: Redis did not answer the last time, or not as it should.
        self.last_error = ""  #: What it said or did then.
        self.num_exchanges = 0  #: That it answered so far.
        self._urgent = threading.Event()

    def hold(self, claim: Claim) -> HeldJob:
        """From now on the claim's lease is renewed, until the job is settled."""
        held = HeldJob(claim, self._clock())
        with self._lock:
            self._held[held.job.id, held.attempt] = held
        return held

    def notify(self) -> None:
        """Something happened that the record may have to know at once. From any thread, cheap."""
        self._urgent.set()

    @property
    def held(self) -> tuple[HeldJob, ...]:
        with self._lock:
            return tuple(self._held.values())

    def begin(self, held: HeldJob) -> bool:
        """Have the record say that it runs, before it does; False: it has ended before that."""
        held.begin(self._clock())
        self.notify()
        return held.wait_begun()

    def hand_back(self) -> None:
        """Give every job that is not over back to the queue; others run it."""
        for held in self.held:
            held.end(Ending.HANDED_BACK)
        self.notify()

    def abandon(self) -> None:
        """Nobody waits for these jobs any more: the process ends, their leases run out, others run them."""
        for held in self.held:
            held.abandon()

    def _interrupt(self) -> None:
        self.notify()

    def wait_announced(self, timeout: float) -> bool:
        return self._announced.wait(timeout)

    def exchange(self) -> bool:
        """One exchange with the record about all jobs; whether it answered."""
        # Ends first: clients wait for them. The answers to the step may end further jobs.
        return self._tell(self._settle, self._step_all, self._settle)

    def exchange_due(self) -> bool:
        """The part of an exchange that does not wait for the next one."""
        return self._tell(self._settle, self._step_due, self._settle)

    def _tell(self, *parts: Callable[[], None]) -> bool:
        try:
            if not self._announced.is_set():
                self._announce()
                self._announced.set()
                self._ever_announced = True
            for part in parts:
                part()
        except StoreUnavailable as error:
            self._on_failure()
            # Before that nothing is held, and whoever waits for the server says so.
            if self._ever_announced and not self.outage:
                log.warning("%s, keeping everything until that is over: %s", _trouble(error), error)
            self.outage = True
            self.last_error = str(error)
            self._announced.clear()
            return False
        if self.outage:
            log.warning("Redis answers again")
        self.outage = False
        self.num_exchanges += 1
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.exchange():
                self._tell_until(self._clock() + HEARTBEAT_SECONDS)
            else:
                self._stopping.wait(HEARTBEAT_SECONDS)

    def _tell_until(self, end: float) -> None:
        """What cannot wait until then."""
        while not self._stopping.is_set() and not self.outage:
            due = min((held.due_at for held in self.held), default=end)
            self._urgent.wait(max(0.0, min(due, end) - self._clock()))
            self._urgent.clear()
            if self._clock() >= end:
                return
            self.exchange_due()

    def _step_all(self) -> None:
        self._step(self.held)

    def _step_due(self) -> None:
        now = self._clock()
        due = [held for held in self.held if held.due_at <= now]
        if due:
            self._step(due)

    def _step(self, jobs: Sequence[HeldJob]) -> None:
        now = self._clock()
        reply = self._record.step(self._worker, [held.entry(now) for held in jobs])
        for held, answer in zip(jobs, reply.answers, strict=True):
            held.heed(answer)
        if not reply.registered:
            log.warning("Redis has lost what this worker registered, registering again")
            self._announced.clear()

    def _settle(self) -> None:
        over = [held for held in self.held if held.over]
        lost = [held for held in over if held.ending is Ending.LOST]
        handed_back = [held for held in over if held.ending is Ending.HANDED_BACK]
        self._finish([held for held in over if held not in (*lost, *handed_back)])
        for held in handed_back:
            self._settled(held, self._record.release(self._worker, held.job.id, held.attempt))
        for held in lost:
            self._settled(held, accepted=False)

    def _finish(self, over: list[HeldJob]) -> None:
        if not over:
            return
        now = self._clock()
        entries = [
            FinishEntry(job_id=held.job.id, attempt=held.attempt, outcome=held.outcome(now)) for held in over
        ]
        for held, accepted in zip(over, self._record.finish_all(self._worker, entries), strict=True):
            self._settled(held, accepted)

    def _settled(self, held: HeldJob, accepted: bool) -> None:
        if not accepted:
            held.end(Ending.LOST)
        with self._lock:
            del self._held[held.job.id, held.attempt]
        self._on_settled(held)
        held.settled.set()


def _trouble(error: StoreUnavailable) -> str:
    return "Redis has what is not ours" if isinstance(error, StoreBroken) else "Redis does not answer"
