"""Canceling in every state."""

from __future__ import annotations

import pytest

from tasks.jobs.errors import JobNotFound
from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import CancelVerdict, Outcome
from tasks.jobs.store import JobStore
from tests.job_steps import WORKER, claim, claimed_ids, finish, step, submit
from tests.time_travel import let_pass


def test_a_canceled_job_leaves_the_queue(store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    assert store.cancel("a") == CancelVerdict.CANCELED
    assert store.cancel("a") == CancelVerdict.CANCELED
    job = store.get("a")
    assert (job.status, job.position, job.attempt) == (JobStatus.CANCELED, None, 0)
    assert store.get("b").position == 1
    assert claimed_ids(store) == ["b"]


@pytest.mark.parametrize("started", [False, True])
def test_a_held_job_is_canceled_by_its_worker(store: JobStore, started: bool) -> None:
    submit(store, "a")
    taken = claim(store)
    step(store, taken, started=started)
    assert store.cancel("a") == CancelVerdict.REQUESTED
    assert store.get("a").cancel_requested
    assert not store.get("a").status.terminal
    assert store.finish(WORKER, "a", 1, Outcome(status=JobStatus.CANCELED))
    assert store.cancel("a") == CancelVerdict.CANCELED


def test_a_job_that_finished_first_stays_finished(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    store.cancel("a")
    assert finish(store, taken)
    assert store.cancel("a") == CancelVerdict.FINISHED
    assert store.get("a").status == JobStatus.SUCCEEDED


def test_a_canceled_job_is_not_run_again_when_its_worker_hands_it_back(store: JobStore) -> None:
    submit(store, "a")
    claim(store)
    store.cancel("a")
    assert store.release(WORKER, "a", 1)
    assert store.get("a").status == JobStatus.CANCELED


def test_a_canceled_job_is_not_run_again_when_its_worker_dies(store: JobStore) -> None:
    submit(store, "a")
    claim(store)
    store.cancel("a")
    let_pass(store, 11)
    report = store.reap()
    assert (report.canceled, report.requeued) == (1, 0)
    assert store.get("a").status == JobStatus.CANCELED


def test_another_owners_job_cannot_be_canceled(store: JobStore) -> None:
    submit(store, "a", owner="one")
    with pytest.raises(JobNotFound):
        store.cancel("a", owner="two")
    assert store.get("a", owner="one").position == 1
