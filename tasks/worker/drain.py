"""From SIGTERM to exit, within the grace period."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tasks.worker.gate import Gate
from tasks.worker.writer import Writer

log = logging.getLogger(__name__)

#: The part of the grace period, and its most, that is kept for handing jobs back and for leaving.
RESERVE = 0.2
MAX_RESERVE_SECONDS = 3.0


class Drain:
    """Stops claiming, lets what runs finish, hands the rest back shortly before the grace period ends.

    Celery's warm shutdown waits for its pool without limit; the jobs settled here are what lets it go on.
    `wake` makes Celery's event loop notice the signal at once. `leave` ends the process, with a code: it is
    only called when the grace period is over and the process is still there.
    """

    def __init__(
        self,
        worker: str,
        *,
        grace_seconds: float,
        gate: Gate,
        writer: Writer,
        wake: Callable[[], None],
        leave: Callable[[int], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker = worker
        self._grace_seconds = grace_seconds
        self._gate = gate
        self._writer = writer
        self._wake = wake
        self._leave = leave
        self._clock = clock
        self._begun = False
        self._wanted = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin(self) -> None:
        """Only the first call does anything: it comes from a signal handler, which may interrupt itself."""
        if not self._begun:
            self._begun = True
            self._wanted.set()

    def finished(self) -> None:
        """The process leaves by itself."""
        self._left.set()

    def _run(self) -> None:
        self._wanted.wait()
        end = self._clock() + self._grace_seconds
        reserve = min(RESERVE * self._grace_seconds, MAX_RESERVE_SECONDS)
        self._gate.close()
        self._wake()
        log.info(
            "worker=%s shuts down: %d jobs run, %.0f s for them",
            self._worker,
            len(self._writer.held),
            self._grace_seconds,
        )
        if not self._gate.wait_empty(end - reserve - self._clock()):
            self._hand_back(end - reserve / 2)
        if not self._left.wait(end - self._clock()):
            log.error("the grace period of %.0f s is over", self._grace_seconds)
            self._leave(1)

    def _hand_back(self, until: float) -> None:
        log.info("handing back %d jobs", len(self._writer.held))
        while self._clock() < until:
            # In a loop, because a claim that was under way may still bring one.
            self._writer.hand_back()
            if self._gate.wait_empty(0.05):
                return
        log.error("%d jobs could not be handed back: they wait for their leases", len(self._writer.held))
        self._writer.abandon()
