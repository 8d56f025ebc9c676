from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from kombu.asynchronous import Hub
from kombu.utils.eventio import READ

from tasks.worker.wakeup import WakingThreadPool
from tests.waiting import wait_until

POLL_SECONDS = 1  # Of a hub without timers.


@pytest.fixture
def pool() -> Iterator[WakingThreadPool]:
    pool = WakingThreadPool(1)
    yield pool
    pool.stop()


def run_hub_until(stop: threading.Event, hub: Hub, rounds: list[float]) -> None:
    while not stop.is_set():
        rounds.append(time.monotonic())
        hub.run_once()


def test_the_event_loop_makes_a_round_when_a_task_has_ended(pool: WakingThreadPool) -> None:
    quiet, other = socket.socketpair()  # A broker that says nothing.
    hub, stop, rounds = Hub(), threading.Event(), []
    hub.add(quiet, lambda: None, READ)
    pool.register_with_event_loop(hub)
    loop = threading.Thread(target=run_hub_until, args=(stop, hub, rounds), daemon=True)
    loop.start()
    ended: list[float] = []
    release = threading.Event()
    pool.apply_async(release.wait, (), callback=lambda value: ended.append(time.monotonic()))
    seen = len(rounds)
    release.set()
    wait_until(
        lambda: len(rounds) > seen and ended and rounds[-1] > ended[0],
        "a round after the request was done with",
        seconds=POLL_SECONDS / 2,
    )
    stop.set()
    pool.wake()
    loop.join(5)
    hub.close()
    quiet.close()
    other.close()


def test_a_task_that_ends_before_there_is_an_event_loop_is_no_error(pool: WakingThreadPool) -> None:
    assert pool.apply_async(lambda: 1, (), callback=lambda value: None).get() is None


def test_a_request_to_kill_a_thread_is_no_error(pool: WakingThreadPool) -> None:
    pool.terminate_job(1)
