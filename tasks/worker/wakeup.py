"""The threads pool of Celery, with a freed slot that wakes the consumer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import TaskPool
from kombu.asynchronous import Hub

TICK_SECONDS = 1.0


def _nothing() -> None:
    """What the event loop runs when it is woken: the round of the loop itself is what we are after."""


class WakingThreadPool(TaskPool):  # type: ignore[misc]  # celery has no types
    """Wakes the event loop when a task has ended.

    With `worker_disable_prefetch` the consumer asks for the next message only in a round of its event loop,
    and nothing in Celery starts a round when a pool thread gets free (unless task events are on): the slot
    idles until the poll times out, about a second. The future's callback runs after the request has left
    `reserved_requests`, which is what that round looks at; `task_postrun` would be too early.
    """

    #: Called when Celery begins to stop the worker, whatever made it: it then waits for the tasks that run.
    on_closing: Callable[[], None] | None = None

    #: Of a timer in Celery's event loop, which stands still while Celery waits for its broker.
    num_ticks = 0

    _hub: Hub | None = None

    def register_with_event_loop(self, hub: Hub) -> None:
        self._hub = hub
        # Once for each connection: Celery cancels what was registered when it loses one.
        hub.call_repeatedly(TICK_SECONDS, self._tick)  # type: ignore[no-untyped-call]
        super().register_with_event_loop(hub)

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        result = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(self._slot_is_free)
        return result

    def wake(self) -> None:
        """Start a round of the event loop, from any thread."""
        if self._hub is not None:
            self._hub.call_soon(_nothing)  # type: ignore[no-untyped-call]

    def on_close(self) -> None:
        if self.on_closing is not None:
            self.on_closing()
        super().on_close()

    def _tick(self) -> None:
        self.num_ticks += 1

    def _slot_is_free(self, _: Future[Any]) -> None:
        self.wake()

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """A thread cannot be killed: cancel and drain are ours, and Celery's request for it is no error."""
