"""A batch from its upload to its end: its items become jobs a few at a time, and each ends exactly once."""

from __future__ import annotations

import pytest

from tasks.jobs.batch import BatchStatus
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.errors import (
    QueueFull,
)
from tasks.jobs.models import JobError, JobStatus, Priority
from tasks.jobs.protocol import CancelVerdict, Outcome
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.batch_steps import counts, submit_batch
from tests.factories import make_new_job
from tests.job_steps import WORKER, claim, claimed_ids, finish, step, submit
from tests.time_travel import let_pass


def fail(store: JobStore, code: str) -> None:
    taken = claim(store)
    outcome = Outcome(status=JobStatus.FAILED, error=JobError(code=code, detail="It broke."))
    assert store.finish(WORKER, taken.job.id, taken.attempt, outcome)


def test_at_most_64_items_are_jobs_at_a_time_and_wait_behind_all_others(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 100)
    submit(store, "single", priority=Priority.NORMAL)

    assert counts(batches) == {"waiting": 36, "queued": 64}
    assert store.num_queued() == 65
    first = store.get("b-0")
    assert (first.priority, first.batch_id, first.text) == (Priority.LOW, "b", "prompt 0")
    assert store.get("single").position == 1
    assert store.get("single").batch_id is None
    assert claim(store).job.id == "single"


def test_each_end_takes_the_next_item_in_and_rings_for_it(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 70)

    taken = claim(store)
    assert counts(batches) == {"waiting": 6, "queued": 64}, "a held item is one of the 64"
    finish(store, taken)
    assert counts(batches) == {"waiting": 5, "queued": 64, "succeeded": 1}

    order = [taken.job.id]
    for _ in range(69):
        taken = claim(store)
        order.append(taken.job.id)
        finish(store, taken)
    assert order == [f"b-{i}" for i in range(70)]
    assert store.client.lrange(RecordingRing.LIST, 0, -1) == list(reversed(order))
    assert counts(batches) == {"succeeded": 70}
    assert batches.get("b").status == BatchStatus.COMPLETED


def test_a_running_item_is_counted_as_such(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 3)
    taken = claim(store)
    assert counts(batches) == {"queued": 3}
    step(store, taken)
    assert counts(batches) == {"queued": 2, "running": 1}
    assert batches.get("b").status == BatchStatus.RUNNING


def test_results_come_in_the_order_of_the_items_whatever_became_of_them(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 70)
    taken = [claim(store) for _ in range(3)]
    finish(store, taken[2], "third")
    step(store, taken[1])
    outcome = Outcome(status=JobStatus.FAILED, error=JobError(code="model_error", detail="It broke."))
    store.finish(WORKER, "b-0", 1, outcome)

    results = batches.results("b", 0, 100)

    assert [each.index for each in results] == list(range(70))
    assert [each.custom_id for each in results] == [f"line {i}" for i in range(70)]
    assert [each.status for each in results[:4]] == ["failed", "running", "succeeded", "queued"]
    assert {(each.status, each.job_id) for each in results[66:]} == {("waiting", None)}
    assert [each.job_id for each in results[:66]] == [f"b-{i}" for i in range(66)]
    assert results[0].error == JobError(code="model_error", detail="It broke.")
    assert results[2].rows[0].text == "third"
    assert (results[2].text, results[2].job_id, results[2].num_tokens) == ("prompt 2", "b-2", 5)
    assert batches.results("b", 68, 10) == results[68:]
    assert batches.results("b", 70, 10) == []


def test_items_that_fail_keep_no_other_from_running(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 3)
    fail(store, "model_error")
    finish(store, claim(store))
    assert store.cancel("b-2") == CancelVerdict.CANCELED
    assert counts(batches) == {"failed": 1, "succeeded": 1, "canceled": 1}
    assert batches.get("b").status == BatchStatus.COMPLETED, "nobody canceled the batch"


def test_an_item_whose_workers_are_lost_fails_and_the_batch_goes_on(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 65)
    for losses in (1, 2, 3):
        taken = claim(store)
        assert taken.job.id == "b-0"
        step(store, taken)
        let_pass(store, 11)
        report = store.reap()
        assert (report.requeued, report.worker_lost) == ((1, 0) if losses < 3 else (0, 1))
    assert counts(batches) == {"queued": 64, "failed": 1}
    assert batches.results("b", 0, 1)[0].error.code == "worker_lost"  # type: ignore[union-attr]


def test_a_cancel_ends_what_nobody_holds_and_asks_the_others_to_stop(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 100)
    running, claimed = claim(store), claim(store)
    step(store, running)

    assert batches.cancel("b") == CancelVerdict.REQUESTED

    assert counts(batches) == {"canceled": 98, "queued": 1, "running": 1}
    assert batches.get("b").status == BatchStatus.CANCELING
    assert store.num_queued() == 0
    assert [step(store, each).verdict for each in (running, claimed)] == ["cancel", "cancel"]
    assert {each.status for each in batches.results("b", 2, 98)} == {"canceled"}
    assert batches.cancel("b") == CancelVerdict.REQUESTED
    for each in (running, claimed):
        store.finish(WORKER, each.job.id, each.attempt, Outcome(status=JobStatus.CANCELED))
    assert counts(batches) == {"canceled": 100}
    assert batches.get("b").status == BatchStatus.CANCELED
    assert batches.cancel("b") == CancelVerdict.CANCELED
    assert claimed_ids(store) == []


def test_a_cancel_that_comes_too_late_for_every_item_changes_no_word(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 1)
    taken = claim(store)
    assert batches.cancel("b") == CancelVerdict.REQUESTED
    finish(store, taken)
    assert counts(batches) == {"succeeded": 1}
    assert batches.get("b").status == BatchStatus.COMPLETED
    assert batches.cancel("b") == CancelVerdict.FINISHED


def test_a_batch_that_nobody_has_begun_is_canceled_at_once(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 100)
    assert batches.cancel("b") == CancelVerdict.CANCELED
    assert counts(batches) == {"canceled": 100}
    assert store.num_queued() == 0


def test_a_batch_past_its_deadline_starts_no_more_items(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 100, deadline_seconds=60)
    taken = claim(store)
    step(store, taken)
    let_pass(store, 61)
    assert step(store, taken).verdict == "deadline"
    assert store.reap().expired == 63
    assert counts(batches) == {"running": 1, "expired": 99}
    finish(store, taken)
    assert counts(batches) == {"succeeded": 1, "expired": 99}
    assert batches.get("b").status == BatchStatus.EXPIRED
    never_a_job = batches.results("b", 99, 1)[0]
    assert never_a_job.status == "expired"
    assert never_a_job.error is not None
    assert never_a_job.error.code == "expired"


def test_items_wait_for_a_model_as_long_as_their_batch_does(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 1)
    let_pass(store, 3600)
    assert store.reap().model_unavailable == 0
    assert counts(batches) == {"queued": 1}


def test_a_single_job_of_low_priority_waits_for_one_item_and_not_for_the_batch_of_its_owner(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 10)
    submit(store, "single", priority=Priority.LOW)
    assert [claim(store).job.id for _ in range(3)] == ["b-0", "single", "b-1"]


def test_items_of_batches_take_no_place_of_single_jobs(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 100)
    store.submit(make_new_job("single"), max_queued=1)
    with pytest.raises(QueueFull):
        store.submit(make_new_job(), max_queued=1)
    assert claim(store).job.id == "single"
    assert len(claimed_ids(store)) == 64
    store.submit(make_new_job(), max_queued=1)
