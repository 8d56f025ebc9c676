"""An owner's list of batches."""

from __future__ import annotations

import pytest

from tasks.jobs.batch import BatchStatus
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.errors import BatchNotFound, StoreBroken
from tasks.jobs.protocol import CancelVerdict
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.store import JobStore
from tests.batch_steps import make_new_batch, start, submit_batch, upload
from tests.factories import FINGERPRINT
from tests.job_steps import claim, finish, step, submit
from tests.time_travel import let_pass


def listed(batches: BatchStore, *, owner: str = "", limit: int = 20) -> list[str]:
    """The ids on all pages."""
    page = batches.list_batches(owner=owner, limit=limit)
    ids = [batch.id for batch in page.batches]
    while page.before is not None:
        page = batches.list_batches(owner=owner, limit=limit, before=page.before)
        ids += [batch.id for batch in page.batches]
    return ids


def of_owners(store: JobStore) -> list[str]:
    return sorted(store.client.scan_iter(f"{store.namespace}:own*"))


def test_a_listed_batch_is_the_batch(store: JobStore, batches: BatchStore) -> None:
    for id in ("a", "b", "c"):
        submit_batch(batches, id, 2, metadata={"name": id})
    for _ in range(2):
        finish(store, claim(store))
    step(store, claim(store))
    batches.cancel("c")

    page = batches.list_batches()

    assert list(page.batches) == [batches.get(id) for id in ("c", "b", "a")]
    assert [each.status for each in page.batches] == [
        BatchStatus.CANCELED,
        BatchStatus.RUNNING,
        BatchStatus.COMPLETED,
    ]
    assert page.batches[1].counts.running == 1
    assert page.before is None


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_pages_joined_are_the_whole_list(batches: BatchStore, limit: int) -> None:
    for i in range(4):
        submit_batch(batches, str(i), 1)
    assert listed(batches, limit=limit) == ["3", "2", "1", "0"]
    assert batches.list_batches(limit=4).before is None, "there is no empty last page"


def test_what_is_started_or_ends_between_two_pages_moves_nothing(
    store: JobStore, batches: BatchStore
) -> None:
    for i in range(4):
        submit_batch(batches, str(i), 1)
    page = batches.list_batches(limit=2)
    submit_batch(batches, "new", 1)
    batches.cancel("2")
    finish(store, claim(store))
    assert [each.id for each in batches.list_batches(limit=2, before=page.before).batches] == ["1", "0"]


def test_every_owner_sees_their_own(batches: BatchStore) -> None:
    for id in ("a", "b", "c"):
        submit_batch(batches, id, 1, owner="one" if id == "b" else "")
    assert listed(batches) == ["c", "a"]
    assert listed(batches, owner="one") == ["b"]
    assert listed(batches, owner="another") == []


def test_a_batch_leaves_the_list_with_its_record(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "a", 1, ttl_seconds=60)
    submit_batch(batches, "b", 1, ttl_seconds=600)
    for _ in range(2):
        finish(store, claim(store))
    let_pass(store, 61)
    assert listed(batches) == ["b"]
    store.reap()
    assert store.client.zrange(f"{store.namespace}:owned_batches:", 0, -1) == ["b"]


@pytest.mark.parametrize("seconds", [301, 25 * 3600])
def test_the_last_batch_of_an_owner_takes_the_list_with_it(
    store: JobStore, batches: BatchStore, seconds: float
) -> None:
    """Also when nobody reaped until its tombstone was gone."""
    for owner in ("", "one"):
        submit_batch(batches, f"of-{owner}", 1, owner=owner, ttl_seconds=60)
        finish(store, claim(store))
    let_pass(store, seconds)
    store.reap()
    assert of_owners(store) == []
    assert store.client.zcard(f"{store.namespace}:index") == 0


def test_an_owner_of_a_batch_is_remembered_when_the_last_job_has_gone(
    store: JobStore, batches: BatchStore
) -> None:
    submit_batch(batches, "b", 1, ttl_seconds=600)
    finish(store, claim(store))
    let_pass(store, 301)
    store.reap()
    assert store.client.smembers(f"{store.namespace}:owners") == {""}
    assert listed(batches) == ["b"]


def test_a_batch_of_which_nothing_became_a_job_leaves_nothing_either(
    store: JobStore, batches: BatchStore
) -> None:
    """Also when nobody reaped until its tombstone was gone."""
    upload(batches, "b", 1)
    overwritten = f"{store.namespace}:waiting:{FINGERPRINT}:low"
    store.client.set(overwritten, "no hash")
    start(batches, make_new_batch("b", total=1))
    assert batches.get("b").counts.waiting == 1
    assert batches.cancel("b") == CancelVerdict.CANCELED
    store.client.delete(overwritten)
    let_pass(store, 26 * 3600)
    store.reap()
    assert of_owners(store) == []


@pytest.mark.parametrize("key", ["batch", "batch_items"])
def test_a_batch_that_somebody_deleted_leaves_the_list(
    store: JobStore, batches: BatchStore, key: str
) -> None:
    submit_batch(batches, "b", 1)
    store.client.delete(f"{store.namespace}:{key}:b")
    assert listed(batches) == []
    let_pass(store, 11)
    store.reap()
    assert store.client.exists(f"{store.namespace}:owned_batches:") == 0
    finish(store, claim(store))


def test_a_refused_batch_is_on_no_list(store: JobStore, batches: BatchStore) -> None:
    submit(store)
    upload(batches, "b", 2)
    store.client.set(f"{store.namespace}:sequence", "abc")
    with pytest.raises(StoreBroken, match="sequence holds no whole number"):
        start(batches, make_new_batch("b", total=2))
    assert listed(batches) == []
    with pytest.raises(BatchNotFound):
        batches.get("b")


@pytest.mark.parametrize(("key", "kind"), [("owned_batches:", "zset"), ("owners", "set")])
def test_a_broken_list_is_named_and_refuses_new_batches(
    store: JobStore, batches: BatchStore, key: str, kind: str
) -> None:
    upload(batches, "b", 1)
    store.client.set(f"{store.namespace}:{key}", "garbage")
    with pytest.raises(StoreBroken, match=f"{key} is a string and should be a {kind}"):
        start(batches, make_new_batch("b", total=1))
    with pytest.raises(BatchNotFound):
        batches.get("b")
    if kind == "zset":
        with pytest.raises(StoreBroken, match=key):
            batches.list_batches()
    store.client.delete(f"{store.namespace}:{key}")
    assert start(batches, make_new_batch("b", total=1)) == ("b", True)


def test_batches_of_a_far_version_are_left_out(store: JobStore, batches: BatchStore) -> None:
    for id in ("a", "far", "b"):
        submit_batch(batches, id, 1)
    store.client.hset(f"{store.namespace}:batch:far", "schema", SCHEMA_VERSION + 2)
    assert listed(batches) == ["b", "a"]
