"""What it takes to start a batch, and what is left of it: where it is refused, and when its time is over."""

from __future__ import annotations

import pytest

from tasks.jobs.batch_store import BatchStore
from tasks.jobs.errors import (
    BatchesFull,
    BatchGone,
    BatchNotFound,
    IdempotencyKeyReused,
    JobGone,
    StoreBroken,
    StoreUnavailable,
)
from tasks.jobs.store import JobStore
from tests.batch_steps import counts, make_new_batch, start, submit_batch, upload
from tests.job_steps import OF_ALL_JOBS, claim, finish
from tests.time_travel import let_pass


def test_too_many_unfinished_items_are_refused_and_nothing_is_left_of_them(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 2)
    keys = set(store.client.scan_iter("*"))

    upload(batches, "c", 3)
    with pytest.raises(BatchesFull) as refused:
        start(batches, make_new_batch("c", total=3, idempotency_key="k"), max_unfinished=4)

    assert (refused.value.limit, refused.value.unfinished) == (4, 2)
    assert set(store.client.scan_iter("*")) == keys
    finish(store, claim(store))
    upload(batches, "c", 3)
    assert start(batches, make_new_batch("c", total=3), max_unfinished=4) == ("c", True)


def test_an_upload_that_is_not_started_leaves_nothing(store: JobStore, batches: BatchStore) -> None:
    upload(batches, "b", 2)
    with pytest.raises(BatchNotFound):
        batches.get("b")
    let_pass(store, 601)
    assert set(store.client.scan_iter("*")) == set()

    upload(batches, "c", 2)
    batches.drop("c")
    assert set(store.client.scan_iter("*")) == set()


def test_a_batch_of_which_the_server_has_lost_a_part_is_not_started(
    store: JobStore, batches: BatchStore
) -> None:
    upload(batches, "b", 2)
    with pytest.raises(StoreUnavailable):
        start(batches, make_new_batch("b", total=3))
    assert set(store.client.scan_iter("*")) == set()


@pytest.mark.parametrize("key", ["rung", "neoserve:unfinished", "neoserve:batches"])
def test_a_place_that_somebody_has_overwritten_is_named_and_nothing_is_started(
    store: JobStore, batches: BatchStore, key: str
) -> None:
    upload(batches, "b", 1)
    store.client.set(key, "garbage")
    with pytest.raises(StoreBroken, match=key):
        start(batches, make_new_batch("b", total=1))
    store.client.delete(key)
    assert start(batches, make_new_batch("b", total=1)) == ("b", True)


def test_a_start_whose_answer_was_lost_may_be_repeated(store: JobStore, batches: BatchStore) -> None:
    new = make_new_batch("b", total=70)
    upload(batches, "b", 70)
    assert start(batches, new) == start(batches, new) == ("b", True)
    assert counts(batches) == {"waiting": 6, "queued": 64}


def test_the_same_key_and_batch_give_the_same_batch_also_after_its_end(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 1, idempotency_key="k", digest="d")
    upload(batches, "c", 1)
    new = make_new_batch("c", total=1, idempotency_key="k", digest="d")
    assert start(batches, new, max_unfinished=1) == ("b", False)
    finish(store, claim(store))
    upload(batches, "c", 1)
    assert start(batches, new) == ("b", False)
    with pytest.raises(BatchNotFound):
        batches.get("c")


def test_the_same_key_with_another_batch_is_refused(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 1, idempotency_key="k", digest="d")
    with pytest.raises(IdempotencyKeyReused):
        submit_batch(batches, "c", 1, idempotency_key="k", digest="other")
    assert store.num_queued() == 1


def test_another_owners_batch_is_not_found(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "b", 1, owner="one")
    for call in (batches.get, batches.cancel, batches.results):
        with pytest.raises(BatchNotFound):
            call("b", owner="two")
    assert batches.get("b", owner="one").counts.queued == 1
    finish(store, claim(store))
    let_pass(store, 3601)
    with pytest.raises(BatchNotFound):
        batches.get("b", owner="two")


def test_results_outlive_the_jobs_and_in_the_end_only_tombstones_are_left(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 70, idempotency_key="k", digest="d")
    for _ in range(70):
        finish(store, claim(store))
    let_pass(store, 301)
    with pytest.raises(JobGone):
        store.get("b-0")
    assert batches.results("b", 0, 1)[0].rows[0].text == "text"

    let_pass(store, 3300)
    store.reap()
    for call in (batches.get, batches.cancel, batches.results):
        with pytest.raises(BatchGone):
            call("b")
    let_pass(store, 60)
    left = {key.split(":")[1] for key in store.client.scan_iter(f"{store.namespace}:*")}
    assert left - OF_ALL_JOBS == {"tombstone"}
    let_pass(store, 86400)
    assert list(store.client.scan_iter(f"{store.namespace}:tombstone:*")) == []
