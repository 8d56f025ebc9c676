"""When rings are brought again, and when they are taken away."""

from __future__ import annotations

import pytest

from tasks.jobs.reaper import Reaper
from tasks.jobs.store import JobStore
from tasks.jobs.upkeep import SPARE_RINGS
from tests.job_steps import submit
from tests.unit.jobs.reaping import ReaperUnderTest


def test_a_ring_missing_at_one_tick_may_be_on_its_way(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "a")
    under_test.tick_after(2)
    assert under_test.rung == []
    under_test.store.client.lpush(under_test.ring.list, "a")
    under_test.tick_after(2, 2)
    assert under_test.rung == ["a"]


def test_rings_missing_at_two_ticks_are_repaired(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    for id in ("a", "b"):
        submit(under_test.store, id)
    under_test.tick_after(2)
    submit(under_test.store, "c")
    under_test.tick_after(2)
    assert under_test.rung == ["a", "b"]
    under_test.tick_after(2, 2, 2)
    assert len(under_test.rung) == 3


def test_rings_are_repaired_during_the_wait_after_an_outage_too(under_test: ReaperUnderTest) -> None:
    submit(under_test.store, "a")
    assert under_test.tick_after(0, 2) == [False, False]
    assert under_test.rung == ["a"]


def test_no_tick_rings_without_end(under_test: ReaperUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.jobs.reaper.MAX_RINGS_PER_TICK", 200)
    monkeypatch.setattr("tasks.jobs.reaper.RINGS_PER_CALL", 70)
    under_test.past_first_lease()
    for _ in range(250):
        submit(under_test.store)
    rung = []
    for _ in range(4):
        under_test.tick_after(2)
        rung.append(len(under_test.rung))
    assert rung == [0, 200, 250, 250]


def test_reapers_that_find_the_same_rings_missing_ring_once(under_test: ReaperUnderTest) -> None:
    reapers = [Reaper(under_test.store, under_test.ring, under_test.clock) for _ in range(3)]
    for _ in range(10):
        submit(under_test.store)
    for _ in range(3):
        under_test.clock.now += 2
        for reaper in reapers:
            reaper.tick()
    assert len(under_test.rung) == 10


def test_rings_that_somebody_else_brought_meanwhile_are_not_brought_again(store: JobStore) -> None:
    ids = [submit(store).id for _ in range(3)]
    assert store.ring_for_waiting("rung") == 3
    store.client.lpush("rung", "another")
    assert store.ring_for_waiting("rung", ids) == 2
    assert store.client.lrange("rung", 0, -1) == [ids[1], ids[0], "another"]


def test_rings_of_jobs_that_ended_unheard_do_not_pile_up(store: JobStore) -> None:
    waiting = submit(store).id
    for _ in range(SPARE_RINGS + 2):
        store.client.lpush("rung", "of a canceled job")
    store.client.rpush("rung", waiting)
    assert store.ring_for_waiting("rung") == 0
    assert store.client.lrange("rung", 0, -1) == [waiting]
    store.cancel(waiting)
    for _ in range(SPARE_RINGS):
        store.client.lpush("rung", "of a canceled job")
    assert store.ring_for_waiting("rung") == 0
    assert store.client.llen("rung") == 0


def test_a_few_surplus_rings_are_left_alone(store: JobStore) -> None:
    for _ in range(SPARE_RINGS):
        store.client.lpush("rung", "of a canceled job")
    assert store.ring_for_waiting("rung") == 0
    assert store.client.llen("rung") == SPARE_RINGS
