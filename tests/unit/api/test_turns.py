"""Calls that wake up together make their answers a few at a time."""

from __future__ import annotations

import threading
from typing import Any

from api.company import Company
from api.hangups import Hangups
from api.metrics import ApiMetrics
from api.seats import Seats
from api.waiting import MAX_AWAKE, WaitingRoom
from tasks.jobs.store import JobStore
from tests.job_steps import submit
from tests.unit.api.fakes import LocalListener
from tests.waiting import wait_until

NUM_CALLS = 12


def make_room(store: JobStore, listener: LocalListener, **options: Any) -> WaitingRoom:
    company = Company(store, Hangups())
    return WaitingRoom(store, listener, ApiMetrics(), Seats(NUM_CALLS), company, **options)


def test_calls_that_wake_up_together_go_on_a_few_at_a_time(store: JobStore) -> None:
    listener, draining, leave = LocalListener(), threading.Event(), threading.Event()
    room = make_room(store, listener, draining=draining)
    job = submit(store)
    awake: list[str] = []
    done: list[str] = []

    def call() -> None:
        with room.watch(job.id) as watch:
            handover = watch.wait(job, 60).handover
            awake.append(str(handover))
            leave.wait(10)
        done.append(str(handover))

    threads = [threading.Thread(target=call) for _ in range(NUM_CALLS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: listener.num_waiters == NUM_CALLS, "all calls wait")
    draining.set()
    room.wake_all()
    wait_until(lambda: not listener.num_waiters, "all calls are woken")
    wait_until(lambda: len(awake) == MAX_AWAKE, "the first go on")
    assert done == []
    leave.set()
    for thread in threads:
        thread.join(10)
    assert done == ["draining"] * NUM_CALLS


def test_a_call_that_fails_gives_its_turn_back(store: JobStore) -> None:
    room = make_room(store, LocalListener(), draining=threading.Event(), clock=iter(range(99)).__next__)
    job = submit(store)
    for _ in range(MAX_AWAKE + 1):
        try:
            with room.watch(job.id) as watch:
                assert watch.wait(job, 1).handover == "timeout"
                raise KeyError
        except KeyError:
            pass
    assert all(room.turns.acquire(blocking=False) for _ in range(MAX_AWAKE))
