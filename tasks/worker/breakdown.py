"""The end of a process that cannot go on, so that its supervisor starts another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tasks.jobs.logs import log_end_of_thread
from tasks.worker.gate import Gate
from tasks.worker.held import Ending
from tasks.worker.writer import Writer

log = logging.getLogger(__name__)

#: Threads without which the worker does no work; when one dies, the process does.
VITAL_THREADS = ("engine", "writer", "watch")

EXIT_BROKEN = 70

#: For recording what has ended and handing back what never began.
HAND_BACK_SECONDS = 2.0


class Breakdown:
    """Ends the process with EXIT_BROKEN, once.

    Jobs that the engine never began go back to the queue. The leases of those that it had begun run out: one
    of them may be the cause, and losses are counted, so that a job that does this three times fails.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        writer: Writer,
        leave: Callable[[int], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = gate
        self._writer = writer
        self._leave = leave
        self._clock = clock
        self._once = threading.Lock()

    def replace(self, why: str) -> None:
        """From any thread, also one that dies of it; in the product it does not return."""
        if not self._once.acquire(blocking=False):
            return
        log.critical("%s: this process ends, for another to take its place", why)
        self._gate.close()
        until = self._clock() + HAND_BACK_SECONDS
        while self._clock() < until and self._hand_back():
            time.sleep(0.02)
        self._leave(EXIT_BROKEN)

    def thread_died(self, arguments: threading.ExceptHookArgs) -> None:
        """For threading.excepthook: the leases of a process without engine or writer would never run out."""
        log_end_of_thread(arguments)
        name = arguments.thread.name if arguments.thread is not None else ""
        if name in VITAL_THREADS:
            self.replace(f"the {name} thread died of {arguments.exc_type.__name__}")

    def _hand_back(self) -> bool:
        """Whether anything is left that the writer can still settle."""
        for held in self._writer.held:
            if not held.started:
                held.end(Ending.HANDED_BACK)
        self._writer.notify()
        return any(held.over for held in self._writer.held)
