from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tasks.jobs.models import JobStatus
from tasks.worker.drain import MAX_RESERVE_SECONDS, Drain
from tests.unit.worker.harness import Worker
from tests.waiting import wait_until


class Exits:
    """Notes with which code the process would have ended, and how often Celery's loop was woken."""

    def __init__(self) -> None:
        self.codes: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.woken = threading.Event()


@pytest.fixture
def exits() -> Exits:
    return Exits()


@pytest.fixture
def busy(worker: Worker) -> Iterator[Worker]:
    """A worker that runs one job, whose model stands still."""
    worker.submit("j")
    worker.ring()
    wait_until(lambda: worker.held("j") and worker.held("j").started, "the job runs")  # type: ignore[union-attr]
    worker.writer.start()
    yield worker
    worker.writer.stop()


def start_drain(
    worker: Worker, exits: Exits, grace_seconds: float, clock: Callable[[], float] = time.monotonic
) -> Drain:
    drain = Drain(
        "w-1",
        grace_seconds=grace_seconds,
        gate=worker.gate,
        writer=worker.writer,
        wake=exits.woken.set,
        leave=exits.codes.put,
        clock=clock,
    )
    drain.start()
    return drain


def test_nothing_happens_before_it_begins(busy: Worker, exits: Exits) -> None:
    start_drain(busy, exits, 1)
    assert not exits.woken.wait(0.05)
    assert not busy.gate.closed


def test_what_runs_may_finish(busy: Worker, exits: Exits) -> None:
    drain = start_drain(busy, exits, 30)
    drain.begin()
    assert exits.woken.wait(5)
    assert not busy.gate.enter()
    busy.steps.allow_all()
    wait_until(lambda: busy.store.get("j").status is JobStatus.SUCCEEDED, "the job is done")
    drain.finished()
    assert exits.codes.empty()


def test_what_does_not_finish_is_handed_back_within_the_grace_period(busy: Worker, exits: Exits) -> None:
    # The clock stands still where only the reserve is left.
    times = itertools.chain([0.0], itertools.repeat(100.0 - MAX_RESERVE_SECONDS))
    drain = start_drain(busy, exits, 100.0, partial(next, times))
    drain.begin()
    wait_until(lambda: not busy.writer.held, "the job is handed back")
    drain.finished()
    job = busy.store.get("j")
    assert (job.status, job.losses, job.position) == (JobStatus.QUEUED, 0, 1)
    assert exits.codes.empty()


def test_when_redis_is_away_it_leaves_in_time_all_the_same(busy: Worker, exits: Exits) -> None:
    busy.faulty.away = True
    start_drain(busy, exits, 0.25).begin()
    assert exits.codes.get(timeout=5) == 1
    assert busy.gate.wait_empty(5), "Celery's pool would wait for a thread"
    assert busy.store.get("j").status is not JobStatus.SUCCEEDED


def test_beginning_again_changes_nothing(busy: Worker, exits: Exits) -> None:
    drain = start_drain(busy, exits, 0.1)
    for _ in range(3):
        drain.begin()
    assert exits.codes.get(timeout=5) == 1
    assert exits.codes.empty()
