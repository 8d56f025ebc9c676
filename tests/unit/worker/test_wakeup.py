from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from kombu.asynchronous import Hub
from kombu.utils.eventio import READ

from tasks.worker import wakeup
from tasks.worker.wakeup import WakingThreadPool
from tests.waiting import wait_until


@pytest.fixture
def pool() -> Iterator[WakingThreadPool]:
    pool = WakingThreadPool(1)
    yield pool
    pool.stop()


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An event loop in a thread of its own, which makes a round only when it is woken."""
    quiet, other = socket.socketpair()  # A broker that says nothing.
    hub, stop = Hub(), threading.Event()
    hub.add(quiet, lambda: None, READ)
    poll = hub.poller.poll
    hub.poller.poll = lambda _timeout: poll(None)

    def run() -> None:
        while not stop.is_set():
            hub.run_once()

    loop = threading.Thread(target=run, daemon=True)
    loop.start()
    yield hub
    stop.set()
    hub.call_soon(lambda: None)
    loop.join(10)
    hub.close()
    quiet.close()
    other.close()


def test_the_event_loop_makes_a_round_when_a_task_has_ended(pool: WakingThreadPool, hub: Hub) -> None:
    rounds: list[float] = []
    ended: list[float] = []
    hub.on_tick.add(lambda: rounds.append(time.monotonic()))
    pool.register_with_event_loop(hub)
    pool.apply_async(lambda: 1, (), callback=lambda value: ended.append(time.monotonic()))
    wait_until(lambda: ended and rounds and rounds[-1] > ended[0], "a round after the task has ended")


def test_a_task_that_ends_before_there_is_an_event_loop_is_no_error(pool: WakingThreadPool) -> None:
    assert pool.apply_async(lambda: 1, (), callback=lambda value: None).get() is None


def test_a_request_to_kill_a_thread_is_no_error(pool: WakingThreadPool) -> None:
    pool.terminate_job(1)


def test_it_counts_the_ticks_of_the_event_loop(
    pool: WakingThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "TICK_SECONDS", 0.01)
    quiet, other = socket.socketpair()
    hub = Hub()
    hub.add(quiet, lambda: None, READ)
    pool.register_with_event_loop(hub)
    for number in range(3):
        deadline = time.monotonic() + 10
        while pool.num_ticks <= number and time.monotonic() < deadline:
            hub.run_once()
        assert pool.num_ticks > number
    hub.close()
    quiet.close()
    other.close()
