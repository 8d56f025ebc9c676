"""When the reaper reaps."""

from __future__ import annotations

import pytest

from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.models import JobStatus
from tests.factories import make_card
from tests.job_steps import WORKER, claim, finish, step, submit
from tests.time_travel import let_pass
from tests.unit.jobs.reaping import ReaperUnderTest
from tests.waiting import wait_until


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


def test_after_a_long_gap_it_waits_a_moment(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    assert under_test.tick_after(5.1, 1.9, 0.2, 2) == [False, False, True, True]


def test_an_outage_is_a_gap(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    under_test.store.away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            under_test.tick_after(2)
    under_test.store.away = False
    assert under_test.tick_after(0, 1, 1) == [False, False, True]


def test_a_server_that_reads_and_does_not_write_is_an_outage(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    under_test.store.refuses_writes = True
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            under_test.tick_after(2)
    under_test.store.refuses_writes = False
    assert under_test.tick_after(2, 1, 1) == [False, False, True]


def test_a_server_that_answers_and_does_not_let_it_reap_costs_no_worker_its_job(
    under_test: ReaperUnderTest,
) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "a")
    claim(under_test.store)
    under_test.store.refuses_scripts = True
    for _ in range(8):
        let_pass(under_test.store, 0.5)
        with pytest.raises(StoreUnavailable):
            under_test.tick_after(0.5)
    under_test.store.refuses_scripts = False
    under_test.live(0.5, 1, 1, 1)
    assert under_test.store.get("a").losses == 0
    under_test.live(2, 2, 2, 2)
    assert under_test.store.get("a").losses == 1, "its worker has not come back"


def test_after_a_restart_of_the_server_it_waits_a_moment(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    under_test.restart_server()
    assert under_test.tick_after(2, 1, 1) == [False, False, True]


def test_leases_stand_still_during_an_outage(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "a")
    claim(under_test.store)
    under_test.live(2, 600, 2, 2, 2)
    assert under_test.store.num_queued() == 0, "it was there for 8 seconds"
    under_test.live(2, 2)
    assert under_test.store.num_queued() == 1


def test_a_worker_that_renews_after_an_outage_keeps_its_job(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "a")
    held = claim(under_test.store)
    under_test.live(2, 600, 2, 2, 2)
    step(under_test.store, held)
    under_test.live(2, 2, 2, 2)
    step(under_test.store, held)
    under_test.live(4, 4)
    assert finish(under_test.store, held)


def test_a_server_that_restarts_every_few_seconds_keeps_no_job_from_being_reaped(
    under_test: ReaperUnderTest,
) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "orphan")
    claim(under_test.store)
    submit(under_test.store, "healthy")
    healthy = claim(under_test.store)
    for _ in range(6):
        under_test.restart_server()
        under_test.live(2)
        step(under_test.store, healthy)
        under_test.live(2)
    assert under_test.store.get("orphan").position == 1
    assert finish(under_test.store, healthy)


def test_a_model_whose_workers_an_outage_kept_away_is_not_unavailable(under_test: ReaperUnderTest) -> None:
    under_test.past_first_lease()
    submit(under_test.store, "a")
    under_test.store.register_model(make_card(), "{}", WORKER, slots=1)
    under_test.live(2, 700, 2, 2)
    assert under_test.store.get("a").status == JobStatus.QUEUED
    under_test.live(*[4] * 150)
    assert under_test.store.get("a").status == JobStatus.FAILED


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
