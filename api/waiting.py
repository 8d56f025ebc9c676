"""Waiting for a job or a batch to end: the listener's word is a hint, the record decides."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from api.company import Company, Line
from api.hangups import Client
from api.metrics import ApiMetrics
from api.overdue import seconds_until_look
from api.seats import Seats
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.models import Job
from tasks.jobs.store import JobStore

#: How long a look at the record may take; as much may a call be longer than it asked to wait.
REREAD_SECONDS = 4.0


class Status(Protocol):
    @property
    def terminal(self) -> bool: ...


class Awaited(Protocol):
    """What ends one day: a job, or a batch."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> Status: ...


Each = TypeVar("Each", bound=Awaited)


class Waiter(Protocol):
    def wait(self, timeout: float) -> bool:
        """Sleep until woken, at most `timeout` seconds, or until it is time to look at the record."""

    def ended(self) -> Job | None:
        """The job as it has ended, if the word of it said so much."""

    def wake(self) -> None:
        """End the sleep, or the next one."""


class Listener(Protocol):
    """One connection to the store for all waiters of a process."""

    def watch(self, id: str) -> AbstractContextManager[Waiter]:
        """The end of the job or batch `id` from here on wakes the waiter."""


@dataclass(frozen=True, slots=True)
class Waited(Generic[Each]):
    """What a call has waited for as it was last seen, how long it slept, and why not to the end."""

    last_seen: Each
    seconds: float = 0.0
    handover: str | None = None  #: timeout, busy, draining, gone; None: it has ended or nobody waited.


class Watch:
    """One call's interest in one job or batch, from before it was submitted or read."""

    def __init__(self, room: WaitingRoom, id: str, waiter: Waiter) -> None:
        self._room = room
        self._waiter = waiter
        self.id = id

    def wait(self, job: Job, seconds: float, line: Line | None = None) -> Waited[Job]:
        """Returns when the job ends, `seconds` are over, the server drains, or the client on `line` hangs up;
        at once when all seats are taken. A job that was seen once is never lost to a later failure of the
        store: the caller gets it as last seen.
        """
        if job.status.terminal or seconds <= 0:
            return Waited(job)
        if job.id != self.id:  # An idempotency key has led to an older job, which nobody watched so far.
            with self._room.watch(job.id) as watch:
                return watch.wait(self._room.read(job), seconds, line)
        client = self._room.company.waits(job, line, self._waiter.wake)
        return self._room.wait(
            job,
            self._waiter,
            seconds,
            lambda last_seen: self._waiter.ended() or self._room.read(last_seen),
            client,
            seconds_until_look,
        )

    def wait_for(
        self, awaited: Each, seconds: float, read: Callable[[], Each], line: Line | None = None
    ) -> Waited[Each]:
        """The same for what `read` reads; it may raise StoreUnavailable."""
        client = self._room.company.sits(line, self._waiter.wake)
        return self._room.wait(
            awaited, self._waiter, seconds, lambda last_seen: look(read, last_seen), client
        )


def look(read: Callable[[], Each], last_seen: Each) -> Each:
    """As it is now; as last seen while the store cannot be used."""
    try:
        with time_limit(REREAD_SECONDS):
            return read()
    except StoreUnavailable:
        return last_seen


class WaitingRoom:
    """Where calls wait, as many as there are seats, so that threads are left for short requests."""

    def __init__(
        self,
        store: JobStore,
        listener: Listener,
        metrics: ApiMetrics,
        seats: Seats,
        company: Company,
        *,
        draining: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._listener = listener
        self._metrics = metrics
        self._seats = seats
        self.company = company
        self._draining = draining
        self._clock = clock
        self._waiters: set[Waiter] = set()
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, id: str) -> Iterator[Watch]:
        """Submit or read it inside of this: then no end is missed, and a wait need not begin with another
        look at the record."""
        with self._listener.watch(id) as waiter:
            yield Watch(self, id, waiter)

    def wait(
        self,
        awaited: Each,
        waiter: Waiter,
        seconds: float,
        read: Callable[[Each], Each],
        client: AbstractContextManager[Client | None],
        until_look: Callable[[Each], float] = lambda _: math.inf,
    ) -> Waited[Each]:
        """Called by a Watch. `until_look`: how long it may sleep at most, in seconds."""
        if awaited.status.terminal or seconds <= 0:
            return Waited(awaited)
        with client as watched, self._seat() as seated:  # Who finds no seat has come back all the same.
            if seated:
                waited = self._wait_seated(awaited, waiter, seconds, read, watched, until_look)
            else:
                waited = Waited(awaited, handover="busy")
        if waited.handover:
            self._metrics.handovers.labels(waited.handover).inc()
        return waited

    def wake_all(self) -> None:
        """Every waiter looks again, at its record and whether the server drains."""
        with self._lock:
            for waiter in self._waiters:
                waiter.wake()

    def _wait_seated(
        self,
        awaited: Each,
        waiter: Waiter,
        seconds: float,
        read: Callable[[Each], Each],
        client: Client | None,
        until_look: Callable[[Each], float],
    ) -> Waited[Each]:
        start = self._clock()
        with self._among_waiters(waiter):
            while True:
                slept = self._clock() - start
                if awaited.status.terminal:
                    return Waited(awaited, slept)
                if self._draining.is_set():
                    return Waited(awaited, slept, "draining")
                if client is not None and client.gone:
                    return Waited(awaited, slept, "gone")
                if slept >= seconds:
                    return Waited(awaited, slept, "timeout")
                waiter.wait(min(seconds - slept, until_look(awaited)))
                awaited = read(awaited)

    def read(self, last_seen: Job) -> Job:
        """As it is now; as last seen while the store cannot be used."""
        return look(lambda: self._store.get(last_seen.id, owner=last_seen.owner), last_seen)

    @contextmanager
    def _seat(self) -> Iterator[bool]:
        seated = self._seats.take()
        if not seated:
            yield False
            return
        self._metrics.waiting_clients.inc()
        try:
            yield True
        finally:
            self._metrics.waiting_clients.dec()
            self._seats.give_back()

    @contextmanager
    def _among_waiters(self, waiter: Waiter) -> Iterator[None]:
        with self._lock:
            self._waiters.add(waiter)
        try:
            yield
        finally:
            with self._lock:
                self._waiters.discard(waiter)
