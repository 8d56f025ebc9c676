"""Jobs whose deadline passes while they wait, seen before the reaper comes."""

from __future__ import annotations

import pytest

from tasks.jobs.errors import JobNotFound, StoreUnavailable
from tasks.jobs.models import JobStatus
from tasks.jobs.script import Scripts
from tasks.jobs.store import JobStore
from tests.job_steps import claim, events, finish, submit
from tests.time_travel import let_pass


def test_whoever_reads_a_job_behind_its_deadline_finds_it_expired(store: JobStore) -> None:
    submit(store, "late", deadline_seconds=30)
    assert store.get("late").status is JobStatus.QUEUED
    let_pass(store, 31)
    job = store.get("late")
    assert (job.status, job.error and job.error.code) == (JobStatus.EXPIRED, "expired")
    assert [each["event"] for each in events(store, "late")] == ["done"]
    assert store.num_queued() == store.reap().expired == 0


def test_a_job_that_was_claimed_before_its_deadline_is_left_to_its_worker(store: JobStore) -> None:
    submit(store, "late", deadline_seconds=30)
    taken = claim(store)
    let_pass(store, 31)
    assert store.get("late").status is JobStatus.QUEUED
    assert finish(store, taken)
    assert store.get("late").status is JobStatus.SUCCEEDED


def test_a_job_of_another_owner_is_left_alone(store: JobStore) -> None:
    submit(store, "late", owner="other", deadline_seconds=30)
    let_pass(store, 31)
    with pytest.raises(JobNotFound):
        store.get("late")
    assert store.num_queued() == 1


def test_a_server_that_takes_no_writes_still_shows_the_job(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(store, "late", deadline_seconds=30)
    let_pass(store, 31)
    run = Scripts.run

    def read_only(self: Scripts, name: str, *arguments: str | int | float) -> object:
        if name == "expire":
            raise StoreUnavailable("READONLY")
        return run(self, name, *arguments)

    monkeypatch.setattr(Scripts, "run", read_only)
    assert store.get("late").status is JobStatus.QUEUED
