"""The whole deployment in one look."""

from __future__ import annotations

import pytest

from tasks.jobs.batch_store import BatchStore
from tasks.jobs.fleet import Batches, LiveWorker
from tasks.jobs.models import JobStatus, Priority
from tasks.jobs.store import JobStore
from tests.batch_steps import submit_batch
from tests.factories import FINGERPRINT, make_card
from tests.job_steps import WORKER, claim, finish, step, submit
from tests.time_travel import let_pass


def test_an_empty_deployment_has_nothing(store: JobStore) -> None:
    fleet = store.fleet()
    assert (fleet.num_held, fleet.num_running, fleet.oldest_queued_seconds) == (0, 0, 0)
    assert set(fleet.ended.values()) == {0}
    assert fleet.workers == fleet.models == []


def test_workers_show_what_they_hold(store: JobStore) -> None:
    store.register_model(make_card(), "{}", WORKER, slots=4)
    store.register_model(make_card(), "{}", "idle", slots=2)
    for _ in range(2):
        submit(store)
    step(store, claim(store))
    claim(store)

    fleet = store.fleet()

    values = {"fingerprint": FINGERPRINT, "num_slots": 4, "num_held": 2, "num_running": 1}
    assert sorted(fleet.workers, key=lambda worker: worker.id) == [
        LiveWorker(id="idle", fingerprint=FINGERPRINT, num_slots=2, num_held=0, num_running=0),
        LiveWorker(id=WORKER, **values),
    ]
    assert (fleet.num_held, fleet.num_running) == (2, 1)


def test_a_worker_that_is_gone_is_not_shown_and_its_jobs_still_are(store: JobStore) -> None:
    store.register_model(make_card(), "{}", WORKER, slots=4)
    submit(store)
    step(store, claim(store))
    let_pass(store, 11)
    fleet = store.fleet()
    assert fleet.workers == []
    assert fleet.num_running == 1


def test_models_with_a_worker_or_a_waiting_job_show_their_queues(store: JobStore) -> None:
    store.register_model(make_card("served"), "{}", WORKER, slots=4)
    store.register_model(make_card("gone", fingerprint="fp-gone"), "{}", "gone", slots=4)
    store.retire_worker("gone")
    store.register_model(make_card("waited for", fingerprint="fp-waited"), "{}", "waited", slots=4)
    store.retire_worker("waited")
    submit(store, fingerprint="fp-waited", priority=Priority.LOW)
    let_pass(store, 5)

    fleet = store.fleet()

    queued = {
        model.model: {each: lane.num_jobs for each, lane in model.backlog.lanes.items()}
        for model in fleet.models
    }
    assert queued == {
        "served": dict.fromkeys(Priority, 0),
        "waited for": {Priority.HIGH: 0, Priority.NORMAL: 0, Priority.LOW: 1},
    }
    assert fleet.oldest_queued_seconds == pytest.approx(5, abs=3)


def test_ended_jobs_are_counted_by_how_they_ended(store: JobStore) -> None:
    for _ in range(2):
        submit(store)
        finish(store, claim(store))
    submit(store, "canceled")
    store.cancel("canceled")
    submit(store, deadline_seconds=30)
    let_pass(store, 31)
    store.reap()
    assert store.fleet().ended == {
        JobStatus.SUCCEEDED: 2,
        JobStatus.FAILED: 0,
        JobStatus.CANCELED: 1,
        JobStatus.EXPIRED: 1,
    }


def test_batches_show_what_of_them_has_not_ended(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 70)
    submit(store)
    finish(store, claim(store))
    assert store.fleet().batches == Batches(num_running=1, num_items=70, num_queued=64)
    finish(store, claim(store))
    assert store.fleet().batches == Batches(num_running=1, num_items=69, num_queued=64)
