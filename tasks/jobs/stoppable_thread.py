"""A thread that runs beside the requests or the jobs until it is stopped."""

from __future__ import annotations

import threading


class StoppableThread:
    """A daemon thread that runs `_run`, which returns soon after `_stopping` is set."""

    def __init__(self, name: str) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended; more than once, or before the start, is fine."""
        self._stopping.set()
        self._interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        raise NotImplementedError

    def _interrupt(self) -> None:
        """End what `_run` waits for beside `_stopping`."""
