"""The thread that looks after the worker it is in."""

from __future__ import annotations

import time
from collections.abc import Callable

from tasks.jobs.stoppable_thread import StoppableThread
from tasks.worker.health import Health
from tasks.worker.liveness import Liveness
from tasks.worker.memory_watch import MemoryWatch
from tasks.worker.step_watch import StepWatch

INTERVAL_SECONDS = 1.0


class Watch(StoppableThread):
    """Looks once a second whether the engine hangs, memory gets short and the worker is live, and shows it.

    It is started when the model is warm: how long that takes is for whoever started the process to judge.
    """

    def __init__(
        self,
        *,
        steps: StepWatch,
        memory: MemoryWatch,
        liveness: Liveness,
        health: Health,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("watch")
        self._steps = steps
        self._memory = memory
        self._liveness = liveness
        self._health = health
        self._clock = clock

    def look(self, seconds: float) -> None:
        """The last look was so many `seconds` ago."""
        self._steps.look(seconds)
        self._memory.look()
        self._health.publish(alive=self._liveness.look(seconds))

    def _run(self) -> None:
        seconds, before = 0.0, self._clock()
        while True:
            self.look(seconds)
            if self._stopping.wait(INTERVAL_SECONDS):
                return
            now = self._clock()
            # If it was more, this process was stopped meanwhile, and so was all that it watches.
            seconds, before = min(now - before, 2 * INTERVAL_SECONDS), now
