"""What the store is told of the clients that wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api import guests as module
from api.company import Company, Line
from api.guests import RENEW_SECONDS, Guests
from api.hangups import Hangups
from tasks.jobs.attendance import GRACE_SECONDS, LEASE_SECONDS, Attendance
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.models import JobStatus
from tasks.jobs.script import Scripts
from tasks.jobs.store import JobStore
from tests.job_steps import claim, finish, submit
from tests.time_travel import let_pass
from tests.unit.api.fakes import Pair
from tests.waiting import wait_until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guests(store: JobStore, clock: Clock) -> Guests:
    return Guests(Attendance(store), clock)


@pytest.fixture
def hangups() -> Hangups:
    return Hangups()


@pytest.fixture
def company(hangups: Hangups, guests: Guests) -> Company:
    return Company(hangups, guests)


@contextmanager
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(self: Scripts, name: str, *arguments: object) -> object:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(Scripts, "run", refuse)
        yield


def after(store: JobStore, seconds: float = GRACE_SECONDS + 0.1) -> JobStatus:
    let_pass(store, seconds)
    store.reap()
    return store.get("a").status


def clients(store: JobStore) -> int:
    return int(store.client.zcard("neoserve:clients:a"))


def wait_and_hang_up(store: JobStore, company: Company, hangups: Hangups, line: Line, pair: Pair) -> None:
    with company.waits(store.get("a"), line, lambda: None) as client:
        assert client is not None
        pair[1].close()
        wait_until(lambda: hangups.look() or client.gone, "the client is seen to be gone")


@pytest.mark.parametrize("takes_interim_answers", [True, False])
def test_the_last_client_that_hangs_up_cancels(
    store: JobStore,
    pair: Pair,
    company: Company,
    guests: Guests,
    hangups: Hangups,
    takes_interim_answers: bool,
) -> None:
    submit(store, "a", cancel_on_disconnect=True)
    wait_and_hang_up(store, company, hangups, Line(pair[0], takes_interim_answers), pair)
    guests.tell()
    assert after(store) is JobStatus.CANCELED


def test_another_client_keeps_the_job(
    store: JobStore, pair: Pair, company: Company, guests: Guests, hangups: Hangups
) -> None:
    job = submit(store, "a", cancel_on_disconnect=True)
    with company.stays(job):
        wait_and_hang_up(store, company, hangups, Line(pair[0], True), pair)
        guests.tell()
        assert after(store) is JobStatus.QUEUED
    guests.tell()
    assert after(store, 100) is JobStatus.QUEUED, "who goes without hanging up cancels nothing"


def test_a_client_that_hangs_up_on_a_plain_job_is_seen_and_cancels_nothing(
    store: JobStore, pair: Pair, company: Company, guests: Guests, hangups: Hangups
) -> None:
    submit(store, "a")
    wait_and_hang_up(store, company, hangups, Line(pair[0], True), pair)
    guests.tell()
    assert store.client.keys("neoserve:clients:*") == []
    assert after(store, 100) is JobStatus.QUEUED


def test_a_job_that_ended_meanwhile_stays_as_it_is(
    store: JobStore, pair: Pair, company: Company, guests: Guests, hangups: Hangups
) -> None:
    submit(store, "a", cancel_on_disconnect=True)
    taken = claim(store)
    with company.waits(store.get("a"), Line(pair[0], True), lambda: None) as client:
        pair[1].close()
        wait_until(lambda: hangups.look() or (client and client.gone), "the client is seen to be gone")
        assert finish(store, taken)
    guests.tell()
    assert after(store) is JobStatus.SUCCEEDED


def test_a_connection_that_the_server_does_not_show_counts_and_never_hangs_up(
    store: JobStore, company: Company, guests: Guests
) -> None:
    job = submit(store, "a", cancel_on_disconnect=True)
    with company.waits(job, None, lambda: None) as client:
        assert client is None
        assert clients(store) == 1
    guests.tell()
    assert after(store, 100) is JobStatus.QUEUED


def test_who_stays_is_told_again_in_time(store: JobStore, guests: Guests, clock: Clock) -> None:
    job = submit(store, "a", cancel_on_disconnect=True)
    with guests.stays(job):
        for _ in range(10):
            clock.now += RENEW_SECONDS
            guests.tell()
            assert after(store, LEASE_SECONDS - 1) is JobStatus.QUEUED
        guests.tell()
        assert after(store, 2) is JobStatus.CANCELED, "no more than in time"


def test_a_client_that_came_in_an_outage_is_told_of_after_it(
    store: JobStore, guests: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store, "a", cancel_on_disconnect=True)
    with outage(monkeypatch):
        staying = guests.stays(job)
        staying.__enter__()
        guests.tell()
    assert clients(store) == 0
    guests.tell()
    assert clients(store) == 1
    staying.__exit__(None, None, None)


@pytest.mark.parametrize(("gone", "end"), [(True, JobStatus.CANCELED), (False, JobStatus.QUEUED)])
def test_a_client_that_left_in_an_outage_is_told_of_after_it(
    store: JobStore,
    guests: Guests,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    gone: bool,
    end: JobStatus,
) -> None:
    job = submit(store, "a", cancel_on_disconnect=True)
    with guests.stays(job) as guest:
        guest.gone = gone
    with outage(monkeypatch):
        guests.tell()
        guests.tell()
    guests.tell()
    assert clients(store) == 0
    assert after(store, 100) is end
    assert [record.levelname for record in caplog.records] == ["WARNING"], "once for an outage"


def test_the_thread_tells_and_to_the_last_before_it_ends(
    store: JobStore, guests: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 60)
    job = submit(store, "a", cancel_on_disconnect=True)
    guests.start()
    with guests.stays(job):
        assert clients(store) == 1
    wait_until(lambda: clients(store) == 0, "it is told")
    with guests.stays(job) as guest:
        guest.gone = True
    guests.stop()
    assert after(store) is JobStatus.CANCELED
