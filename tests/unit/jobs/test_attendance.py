"""Jobs that are canceled when nobody waits for them any more."""

from __future__ import annotations

import pytest

from tasks.jobs.attendance import CLIENTS_PER_CALL, GRACE_SECONDS, LEASE_SECONDS, Attendance
from tasks.jobs.errors import StoreBroken
from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import ReapReport, Verdict
from tasks.jobs.store import JobStore
from tests.job_steps import claim, finish, step, submit
from tests.time_travel import let_pass
from tests.unit.jobs.reaping import ReaperUnderTest

ONE, OTHER = ("a", "one"), ("a", "other")


@pytest.fixture
def attendance(store: JobStore) -> Attendance:
    submit(store, "a", cancel_on_disconnect=True)
    return Attendance(store)


def after(store: JobStore, seconds: float) -> JobStatus:
    let_pass(store, seconds)
    store.reap()
    return store.get("a").status


def keys(store: JobStore) -> list[str]:
    names = ("neoserve:clients:a", "neoserve:attended")
    return [name for name in names if store.client.exists(name)]


def test_the_last_client_that_hangs_up_has_a_moment_to_come_back(
    store: JobStore, attendance: Attendance
) -> None:
    attendance.attend([ONE])
    assert attendance.leave(*ONE, hung_up=True) == 0
    assert after(store, GRACE_SECONDS - 0.2) is JobStatus.QUEUED
    let_pass(store, 0.3)
    assert store.reap() == ReapReport(abandoned=1)
    assert store.get("a").status is JobStatus.CANCELED
    assert keys(store) == []
    assert store.reap() == ReapReport()


@pytest.mark.parametrize("token", ["one", "another"])
def test_who_is_back_in_time_keeps_the_job(store: JobStore, attendance: Attendance, token: str) -> None:
    attendance.attend([ONE])
    attendance.leave(*ONE, hung_up=True)
    let_pass(store, GRACE_SECONDS - 0.2)
    attendance.attend([("a", token)])
    assert after(store, LEASE_SECONDS - 1) is JobStatus.QUEUED


def test_a_held_job_is_asked_to_stop(store: JobStore, attendance: Attendance) -> None:
    taken = claim(store)
    attendance.attend([ONE])
    attendance.leave(*ONE, hung_up=True)
    assert after(store, GRACE_SECONDS + 0.1) is JobStatus.QUEUED
    assert step(store, taken).verdict is Verdict.CANCEL
    assert keys(store) == []


def test_another_client_keeps_the_job_until_it_hangs_up_as_well(
    store: JobStore, attendance: Attendance
) -> None:
    attendance.attend([ONE, OTHER])
    assert attendance.leave(*ONE, hung_up=True) == 1
    assert after(store, 2 * GRACE_SECONDS) is JobStatus.QUEUED
    assert attendance.leave(*OTHER, hung_up=True) == 0
    assert after(store, 2 * GRACE_SECONDS) is JobStatus.CANCELED


def test_a_job_that_its_last_client_left_without_hanging_up_goes_on(
    store: JobStore, attendance: Attendance
) -> None:
    attendance.attend([ONE, OTHER])
    attendance.leave(*ONE, hung_up=True)
    attendance.leave(*OTHER, hung_up=False)
    assert keys(store) == []
    assert after(store, 100) is JobStatus.QUEUED


def test_a_job_that_nobody_ever_waited_for_goes_on(store: JobStore, attendance: Attendance) -> None:
    assert attendance.leave(*ONE, hung_up=True) == 0
    assert after(store, 100) is JobStatus.QUEUED


def test_a_client_that_is_not_heard_of_again_counts_for_a_lease(
    store: JobStore, attendance: Attendance
) -> None:
    attendance.attend([ONE])
    assert after(store, LEASE_SECONDS - 1) is JobStatus.QUEUED
    attendance.attend([ONE])
    assert after(store, LEASE_SECONDS - 1) is JobStatus.QUEUED
    assert after(store, 2) is JobStatus.CANCELED


def test_a_client_of_a_dead_process_keeps_the_others_job_no_longer_than_its_lease(
    store: JobStore, attendance: Attendance
) -> None:
    attendance.attend([("a", "of the dead"), ONE])
    assert attendance.leave(*ONE, hung_up=True) == 1
    assert after(store, LEASE_SECONDS + 1) is JobStatus.CANCELED


def test_a_client_that_another_version_knows_counts(store: JobStore, attendance: Attendance) -> None:
    """It notes them in `clients` alone, and for 90 seconds."""
    attendance.attend([ONE])
    seconds, microseconds = store.client.time()
    store.client.zadd("neoserve:clients:a", {"its": 1000 * seconds + microseconds // 1000 + 90_000})
    assert attendance.leave(*ONE, hung_up=True) == 1
    store.client.persist("neoserve:clients:a")
    assert after(store, 89) is JobStatus.QUEUED
    assert after(store, 2) is JobStatus.CANCELED


def test_leases_stand_still_during_an_outage(under_test: ReaperUnderTest) -> None:
    store = under_test.store
    under_test.past_first_lease()
    submit(store, "a", cancel_on_disconnect=True)
    submit(store, "left", cancel_on_disconnect=True)
    attendance = Attendance(store)
    attendance.attend([ONE, ("left", "token")])
    under_test.live(2, 300, 2, 2, 2)
    assert store.get("a").status is JobStatus.QUEUED
    attendance.attend([ONE])
    under_test.live(*[2] * 12)
    assert store.get("a").status is JobStatus.QUEUED
    assert store.get("left").status is JobStatus.CANCELED, "its client was not heard of again"


def test_a_departure_that_is_told_twice_is_one(store: JobStore, attendance: Attendance) -> None:
    attendance.attend([ONE])
    attendance.leave(*ONE, hung_up=True)
    attendance.attend([OTHER])
    attendance.leave(*OTHER, hung_up=False)
    attendance.leave(*ONE, hung_up=True)
    assert after(store, 100) is JobStatus.QUEUED


def test_a_job_that_has_ended_stays_as_it_is(store: JobStore, attendance: Attendance) -> None:
    attendance.attend([ONE])
    assert finish(store, claim(store))
    attendance.leave(*ONE, hung_up=True)
    assert after(store, 2 * GRACE_SECONDS) is JobStatus.SUCCEEDED
    assert keys(store) == []


def test_of_a_job_whose_record_is_gone_nothing_is_left(store: JobStore, attendance: Attendance) -> None:
    attendance.attend([ONE])
    store.client.delete("neoserve:job:a")
    let_pass(store, 3 * LEASE_SECONDS)
    store.reap()
    assert keys(store) == []


def test_more_clients_than_one_call_takes_are_all_known(store: JobStore, attendance: Attendance) -> None:
    attendance.attend([("a", str(number)) for number in range(2 * CLIENTS_PER_CALL + 1)])
    assert attendance.leave("a", "0", hung_up=True) == 2 * CLIENTS_PER_CALL


def test_clients_that_somebody_has_overwritten_harm_no_others(
    store: JobStore, attendance: Attendance
) -> None:
    submit(store, "b", cancel_on_disconnect=True)
    store.client.set("neoserve:clients:a", "garbage")
    attendance.attend([ONE, ("b", "one")])
    assert attendance.leave(*ONE, hung_up=True) == 0
    assert attendance.leave("b", "one", hung_up=True) == 0
    assert after(store, GRACE_SECONDS + 0.1) is JobStatus.QUEUED
    assert store.get("b").status is JobStatus.CANCELED
    assert after(store, LEASE_SECONDS) is JobStatus.CANCELED


def test_while_the_index_is_broken_nobody_comes_or_goes(store: JobStore, attendance: Attendance) -> None:
    attendance.attend([ONE])
    store.client.set("neoserve:attended", "garbage")
    with pytest.raises(StoreBroken, match="attended"):
        attendance.attend([OTHER])
    with pytest.raises(StoreBroken, match="attended"):
        attendance.leave(*ONE, hung_up=True)
    store.client.delete("neoserve:attended")
    assert attendance.leave(*ONE, hung_up=True) == 0
    assert after(store, GRACE_SECONDS + 0.1) is JobStatus.CANCELED


def test_a_job_that_is_taken_back_from_a_dead_worker_meanwhile_is_canceled(
    store: JobStore, attendance: Attendance
) -> None:
    step(store, claim(store))
    attendance.attend([ONE])
    attendance.leave(*ONE, hung_up=True)
    assert after(store, 11) is JobStatus.CANCELED
