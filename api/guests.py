"""Tells the job store which clients of this process wait for jobs that are canceled when nobody does."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from tasks.jobs.attendance import Attendance
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import JobsError, StoreUnavailable
from tasks.jobs.log_line import LogLine, about
from tasks.jobs.models import Job
from tasks.jobs.stoppable_thread import StoppableThread

logger = logging.getLogger(__name__)

#: A third of a lease.
RENEW_SECONDS = 10.0
#: How soon the store is asked again that could not be used.
RETRY_SECONDS = 1.0
#: How long to tell the store of those who have come or gone.
TELL_SECONDS = 4.0


class Guest:
    """One client of one job. Set `gone` before its stay ends if it has hung up."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.token = secrets.token_hex(8)
        self.gone = False


class Guests(StoppableThread):
    """Who is here is told at once and again in time. Who has left is told by the thread alone, after what it
    last said of the others: nobody who left comes to life again, and what the store could not be told in an
    outage it is told afterwards. Thread-safe.

    `clock` gives seconds that only grow.
    """

    def __init__(self, attendance: Attendance, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("guests")
        self._attendance = attendance
        self._clock = clock
        self._lock = threading.Lock()
        self._present: dict[str, Guest] = {}
        self._left: deque[Guest] = deque()
        self._bell = threading.Event()
        self._renew_at = clock() + RENEW_SECONDS
        self._reachable = True

    @contextmanager
    def stays(self, job: Job) -> Iterator[Guest]:
        guest = Guest(job)
        known = self._tell_who_came(guest)
        with self._lock:
            self._present[guest.token] = guest
            if not known:
                self._renew_at = 0.0
        try:
            yield guest
        finally:
            with self._lock:
                del self._present[guest.token]
                self._left.append(guest)
            self._bell.set()

    def tell(self) -> None:
        """What the store does not know yet, and in time who is still there; not from several threads. While
        the store cannot be used, nothing is forgotten."""
        try:
            with time_limit(TELL_SECONDS):
                self._tell_who_left()
                self._renew()
        except (JobsError, redis.RedisError) as error:
            if self._reachable:
                logger.warning("Clients come and go, and Redis cannot be told: %s", error)
            self._reachable = False
        else:
            self._reachable = True

    def _tell_who_came(self, guest: Guest) -> bool:
        try:
            with time_limit(TELL_SECONDS):
                self._attendance.attend([(guest.job.id, guest.token)])
        except StoreUnavailable:
            return False
        return True

    def _tell_who_left(self) -> None:
        while self._left:
            guest = self._left[0]
            others = self._attendance.leave(guest.job.id, guest.token, hung_up=guest.gone)
            self._left.popleft()
            if guest.gone and not others:
                logger.info(LogLine("its last client has hung up", **about(guest.job)))

    def _renew(self) -> None:
        with self._lock:
            if self._clock() < self._renew_at:
                return
            self._renew_at = self._clock() + RENEW_SECONDS
            present = [(guest.job.id, guest.token) for guest in self._present.values()]
        try:
            self._attendance.attend(present)
        except StoreUnavailable:
            self._renew_at = 0.0
            raise

    def _interrupt(self) -> None:
        self._bell.set()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._bell.wait(RETRY_SECONDS)
            self._bell.clear()
            stopping = self._stopping.is_set()  # Who has left before that is told of in any case.
            self.tell()
