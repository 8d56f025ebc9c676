"""Notices an engine that hangs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tasks.worker.standstill import Standstill


class Stepping(Protocol):
    """The part of the engine's thread that is watched."""

    @property
    def busy(self) -> bool: ...
    @property
    def num_steps(self) -> int: ...


class StepWatch:
    """Calls `replace`, with a reason, when the engine had work and finished no step for `limit_seconds`.

    A thread cannot be killed, and what it holds, a lock or the GPU, it may hold for ever: only another
    process helps. 0 seconds: it never does.
    """

    def __init__(self, engine: Stepping, limit_seconds: float, replace: Callable[[str], None]) -> None:
        self._engine = engine
        self._limit_seconds = limit_seconds
        self._replace = replace
        self._standstill = Standstill()

    def look(self, seconds: float) -> None:
        """Be called now and then; the last time was so many `seconds` ago."""
        if not self._engine.busy:
            self._standstill.reset()
        elif self._standstill.look(self._engine.num_steps, seconds) >= self._limit_seconds > 0:
            place = whereabouts("engine")
            self._replace(f"the engine has finished no step for {self._limit_seconds:g} s, it is at {place}")


def whereabouts(name: str) -> str:
    """The line that a thread is at."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread.name == name and thread.ident in frames:
            code = frames[thread.ident].f_code
            return f"{Path(code.co_filename).name}:{frames[thread.ident].f_lineno} in {code.co_name}"
    return "no line: it is gone"
