"""What somebody has deleted or overwritten, and what another version did not know, holds up no batch."""

from __future__ import annotations

import pytest

from tasks.jobs.batch import BatchItem, BatchStatus
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.errors import (
    BatchNotFound,
    QueueFull,
    StoreUnavailable,
)
from tasks.jobs.models import JobStatus, Priority
from tasks.jobs.protocol import CancelVerdict, Outcome
from tasks.jobs.store import JobStore
from tests.batch_steps import counts, make_new_batch, start, submit_batch, upload
from tests.factories import make_new_job
from tests.job_steps import WORKER, claim, finish, step, submit
from tests.time_travel import let_pass


def test_an_end_written_by_an_earlier_version_is_found_by_the_reaper(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 65)
    job = f"{store.namespace}:job:b-0"
    fields = {name: store.client.hget(job, name) or "" for name in ("batch", "batch_index")}
    store.client.hdel(job, *fields)  # So its scripts know of no batch.
    finish(store, claim(store))
    store.client.hset(job, mapping=fields)
    assert counts(batches) == {"waiting": 1, "queued": 64}

    let_pass(store, 11)
    store.reap()

    assert counts(batches) == {"queued": 64, "succeeded": 1}
    assert batches.results("b", 0, 1)[0].rows[0].text == "text"
    store.submit(make_new_job(), max_queued=1)
    with pytest.raises(QueueFull):
        store.submit(make_new_job(), max_queued=1)


def test_a_job_that_claims_to_be_an_item_ends_none(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 2)
    finish(store, claim(store))
    store.client.hset(f"{store.namespace}:job:{submit(store).id}", mapping={"batch": "b", "batch_index": "0"})
    finish(store, claim(store))
    store.client.hset(f"{store.namespace}:job:{submit(store).id}", mapping={"batch": "b", "batch_index": "1"})
    finish(store, claim(store))
    assert counts(batches) == {"queued": 1, "succeeded": 1}


def test_a_batch_ends_although_somebody_deleted_which_of_its_items_are_jobs(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 70)
    finish(store, claim(store))
    taken = claim(store)
    store.client.delete(f"{store.namespace}:batch_live:b")
    finish(store, taken)
    let_pass(store, 11)
    store.reap()
    assert counts(batches) == {"queued": 64, "waiting": 4, "succeeded": 2}
    for _ in range(68):
        finish(store, claim(store))
    assert batches.get("b").status is BatchStatus.COMPLETED
    assert counts(batches) == {"succeeded": 70}


def test_a_batch_is_shown_and_canceled_whole_although_somebody_deleted_which_of_its_items_are_jobs(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 70)
    finish(store, claim(store))
    held, finished = claim(store), claim(store)
    store.client.delete(f"{store.namespace}:batch_live:b")
    assert finish(store, finished)
    assert store.cancel("b-3") == CancelVerdict.CANCELED
    assert counts(batches) == {"succeeded": 1, "queued": 64, "waiting": 5}
    results = batches.results("b", 0, 100)
    assert [each.status for each in results] == ["succeeded"] + ["queued"] * 64 + ["waiting"] * 5

    assert batches.cancel("b") == CancelVerdict.REQUESTED

    assert counts(batches) == {"succeeded": 2, "canceled": 67, "queued": 1}
    for ended in ("b-2", "b-3"):
        events = [fields["event"] for _, fields in store.client.xrange(f"{store.namespace}:events:{ended}")]
        assert events.count("done") == 1
    assert store.num_queued() == 0
    assert step(store, held).verdict == "cancel"
    store.finish(WORKER, held.job.id, held.attempt, Outcome(status=JobStatus.CANCELED))
    assert counts(batches) == {"succeeded": 2, "canceled": 68}
    assert batches.get("b").status is BatchStatus.CANCELED


@pytest.mark.parametrize("overwritten", [False, True])
def test_what_counts_against_the_limit_is_counted_again_where_somebody_deleted_it(
    store: JobStore, batches: BatchStore, overwritten: bool
) -> None:
    submit_batch(batches, "b", 3)
    unfinished = f"{store.namespace}:unfinished"
    store.client.delete(unfinished)
    if overwritten:
        store.client.set(unfinished, "no hash")
    assert finish(store, claim(store))
    let_pass(store, 11)
    store.reap()
    if overwritten:
        store.client.delete(unfinished)
        let_pass(store, 11)
        store.reap()
    assert store.client.hgetall(unfinished) == {"b": "2"}
    for _ in range(2):
        assert finish(store, claim(store))
    assert (batches.get("b").status, store.client.exists(unfinished)) == (BatchStatus.COMPLETED, 0)


def test_a_record_that_somebody_deleted_does_not_hold_up_its_batch(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 65)
    store.client.delete(f"{store.namespace}:job:b-0")
    let_pass(store, 11)
    store.reap()
    assert counts(batches) == {"queued": 64, "failed": 1}
    assert batches.results("b", 0, 1)[0].error.code == "internal_error"  # type: ignore[union-attr]


def test_a_batch_that_somebody_deleted_holds_up_nobody(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 70)
    store.client.delete(f"{store.namespace}:batch_items:b")
    finish(store, claim(store))
    with pytest.raises(BatchNotFound):
        batches.get("b")
    let_pass(store, 11)
    assert store.reap().trimmed == 1
    upload(batches, "c", 3)
    assert start(batches, make_new_batch("c", total=3), max_unfinished=3)[0] == "c"


def test_a_place_that_somebody_has_overwritten_lets_items_end_and_takes_none_in(
    store: JobStore, batches: BatchStore
) -> None:
    upload(batches, "b", 64)
    job = make_new_job("last", fingerprint="other", priority=Priority.LOW)
    batches.put("b", 64, [BatchItem(job=job)])
    start(batches, make_new_batch("b", total=65))
    overwritten = f"{store.namespace}:waiting:other:low"
    store.client.set(overwritten, "no hash")

    assert finish(store, claim(store))
    assert counts(batches) == {"waiting": 1, "queued": 63, "succeeded": 1}

    store.client.delete(overwritten)
    let_pass(store, 11)
    store.reap()
    assert counts(batches) == {"queued": 64, "succeeded": 1}


def test_items_that_somebody_deleted_hold_up_nobody_else(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 66, deadline_seconds=60)
    store.client.hdel(f"{store.namespace}:batch_items:b", "63", "64")
    with pytest.raises(StoreUnavailable):
        batches.results("b", 0, 100)
    store.client.delete(f"{store.namespace}:job:b-63")
    assert finish(store, claim(store))
    let_pass(store, 11)
    assert store.reap().trimmed == 0
    assert counts(batches) == {"waiting": 2, "queued": 63, "succeeded": 1}
    let_pass(store, 60)
    store.reap()
    assert counts(batches)["expired"] == 64


#: What somebody has written in place of an item: no JSON, JSON of nothing, a job without its fields.
NO_ITEMS = {
    "text": "no JSON",
    "list": "[]",
    "stub": '{"id":"b-64","owner":"","fingerprint":"f","priority":"low"}',
}


@pytest.mark.parametrize("broken", ["sequence", *NO_ITEMS])
def test_an_item_that_cannot_become_a_job_now_is_counted_once_and_costs_no_other_job_its_end(
    store: JobStore, batches: BatchStore, broken: str
) -> None:
    submit_batch(batches, "b", 65)
    items, sequence = f"{store.namespace}:batch_items:b", f"{store.namespace}:sequence"
    item, number = store.client.hget(items, "64"), store.client.get(sequence)
    if broken == "sequence":
        store.client.set(sequence, "abc")
    else:
        store.client.hset(items, "64", NO_ITEMS[broken])
    assert finish(store, claim(store))
    assert counts(batches) == {"waiting": 1, "queued": 63, "succeeded": 1}

    store.client.hset(items, "64", item)
    store.client.set(sequence, number)
    let_pass(store, 11)
    store.reap()
    assert counts(batches) == {"queued": 64, "succeeded": 1}
