from __future__ import annotations

import threading

from tasks.jobs.stoppable_thread import StoppableThread


class Waiting(StoppableThread):
    """Waits for what only `_interrupt` brings."""

    def __init__(self) -> None:
        super().__init__("waiting")
        self.news = threading.Event()
        self.ended = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.news.wait(60)
        self.ended = True

    def _interrupt(self) -> None:
        self.news.set()


def test_it_is_interrupted_and_has_ended_when_it_is_stopped() -> None:
    thread = Waiting()
    thread.start()
    thread.stop()
    assert thread.ended
    thread.stop()


def test_what_never_began_can_be_stopped() -> None:
    thread = Waiting()
    thread.stop()
    assert not thread.ended
