"""The thread that owns the model."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tasks.engine.engine import Engine
from tasks.engine.errors import EngineStopped
from tasks.engine.generation import Generation
from tasks.engine.types import GenerationRequest, StepStats


def _ignore(_stats: StepStats) -> None:
    pass


class EngineThread:
    """Steps an engine while it has work and sleeps while it has none.

    `on_step` is called in the engine thread after every step and must be quick.
    """

    def __init__(self, engine: Engine, on_step: Callable[[StepStats], None] = _ignore) -> None:
        self._engine = engine
        self._on_step = on_step
        self._changed = threading.Condition()
        self._busy = False
        self._num_steps = 0
        self._closed = False  #: Takes no more requests.
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def busy(self) -> bool:
        """It has work, and steps."""
        return self._busy

    @property
    def num_steps(self) -> int:
        """Steps that it has finished."""
        return self._num_steps

    def start(self) -> None:
        self._thread.start()

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a request, from any thread. Raises EngineStopped, InvalidRequest or RequestTooLong."""
        with self._changed:
            if self._closed:
                raise EngineStopped("the engine takes no more requests")
            generation = self._engine.submit(request)
            self._busy = True
            self._changed.notify_all()
        return generation

    def drain(self, timeout: float | None = None) -> bool:
        """Take no more requests and wait until all that were taken are done; whether they are."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: not self._busy, timeout)

    def stop(self, timeout: float | None = None) -> None:
        """End after the step that is running; generations that are not done get EngineStopped."""
        with self._changed:
            self._closed = self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._on_step(self._engine.step())
                self._num_steps += 1
        finally:
            # Also when the engine itself is broken: nobody may wait for an answer that cannot come.
            with self._changed:
                self._closed = True
                self._engine.abort(EngineStopped())
                self._busy = False
                self._changed.notify_all()

    def _wait_for_work(self) -> bool:
        """Sleep until there is something to do; False when it is time to end."""
        with self._changed:
            while not self._stopping and not self._engine.has_work:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait()
            return not self._stopping
