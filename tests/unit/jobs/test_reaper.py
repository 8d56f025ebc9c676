"""When the reaper reaps, and when it rings."""

from __future__ import annotations

import fakeredis
import pytest
import redis

from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.protocol import ReapReport
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import SPARE_RINGS, JobStore
from tests.job_steps import claim, submit
from tests.time_travel import let_pass
from tests.waiting import wait_until


class RestartableStore(JobStore):
    """A server that can restart; fakeredis knows no INFO."""

    run_id = "first"
    away = False
    refuses_writes = False
    num_refused = 0

    def server_run_id(self) -> str:
        if self.away:
            self.num_refused += 1
            raise StoreUnavailable
        return self.run_id

    def reap(self) -> ReapReport:
        if self.refuses_writes:
            raise StoreUnavailable
        return super().reap()

    def ping(self) -> None:
        if self.refuses_writes:
            raise StoreUnavailable


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ReaperUnderTest:
    def __init__(self, client: redis.Redis) -> None:
        self.store = RestartableStore(client)
        self.ring = RecordingRing()
        self.clock = FakeClock()
        self.reaper = Reaper(self.store, self.ring, self.clock)

    def tick_after(self, *seconds: float) -> list[bool]:
        """Whether each of the ticks reaped."""
        reaped = []
        for pause in seconds:
            self.clock.now += pause
            reaped.append(self.reaper.tick() is not None)
        return reaped

    def past_first_lease(self) -> None:
        self.tick_after(0, 4, 4, 4)

    @property
    def rung(self) -> list[str]:
        """Ids that the rings name which nobody has heard, the next one first."""
        return list(reversed(self.store.client.lrange(self.ring.list, 0, -1)))


@pytest.fixture
def under_test() -> ReaperUnderTest:
    return ReaperUnderTest(fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True))


def test_a_new_reaper_waits_one_lease(under_test: ReaperUnderTest) -> None:
    assert under_test.tick_after(0, 4, 4, 1.9, 0.1, 2) == [False, False, False, False, True, True]


def test_a_reaper_takes_jobs_from_dead_workers(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "a")
    claim(under_test.store)
    let_pass(under_test.store, 11)
    under_test.tick_after(2)
    assert under_test.store.get("a").position == 1


def test_a_short_gap_changes_nothing(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    assert under_test.tick_after(5, 2) == [True, True]


def test_after_a_long_gap_it_waits_one_lease(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    assert under_test.tick_after(5.1, 4, 4, 1, 1) == [False, False, False, False, True]


def test_an_outage_is_a_gap(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    under_test.store.away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            under_test.tick_after(2)
    under_test.store.away = False
    assert under_test.tick_after(0, 4, 4, 2) == [False, False, False, True]


def test_a_server_that_reads_and_does_not_write_is_an_outage(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    under_test.store.refuses_writes = True
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            under_test.tick_after(2)
    under_test.store.refuses_writes = False
    assert under_test.tick_after(2, 2, 2, 2, 2, 2) == [False] * 5 + [True]


def test_after_a_restart_of_the_server_it_waits_one_lease(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    under_test.store.run_id = "second"
    assert under_test.tick_after(2, 4, 4, 2) == [False, False, False, True]


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


def test_the_thread_outlives_an_outage_and_tells_of_it_once(
    under_test: ReaperUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tasks.jobs.reaper.TICK_SECONDS", 0.01)
    caplog.set_level("INFO", "tasks.jobs.reaper")
    submit(under_test.store, "a")
    under_test.store.away = True
    under_test.reaper.start()
    wait_until(lambda: under_test.store.num_refused >= 3, "the outage is seen")
    under_test.store.away = False
    wait_until(lambda: under_test.rung, "the ring is repaired")
    under_test.reaper.stop()
    under_test.reaper.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_the_thread_tells_of_jobs_taken_from_dead_workers(
    under_test: ReaperUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tasks.jobs.reaper.TICK_SECONDS", 0.01)
    under_test.past_first_lease()
    submit(under_test.store, "a")
    claim(under_test.store)
    let_pass(under_test.store, 11)
    under_test.reaper.start()
    wait_until(lambda: caplog.records, "it is told")
    under_test.reaper.stop()
    assert caplog.messages == ["1 jobs of lost workers are queued again, 0 have failed."]
