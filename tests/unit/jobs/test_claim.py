"""Which job a claim takes, and what it makes of it."""

from __future__ import annotations

from collections import Counter

from tasks.jobs.models import JobStatus, Priority
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_new_job
from tests.job_steps import WORKER, claim, claimed_ids, finish, submit
from tests.time_travel import let_pass


def test_nothing_waits_and_nothing_is_claimed(store: JobStore) -> None:
    assert store.claim_next(WORKER, FINGERPRINT, "n") is None


def test_a_claimed_job_is_still_queued_but_has_no_position(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    job = store.get("a")
    assert (taken.job.id, taken.attempt, taken.alone) == ("a", 1, False)
    assert (job.status, job.attempt, job.position) == (JobStatus.QUEUED, 1, None)


def test_jobs_are_claimed_in_the_order_of_submit(store: JobStore) -> None:
    ids = [submit(store).id for _ in range(5)]
    assert [store.get(id).position for id in ids] == [1, 2, 3, 4, 5]
    assert claimed_ids(store) == ids


def test_the_same_nonce_gets_the_same_job(store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    first = store.claim_next(WORKER, FINGERPRINT, "n")
    assert store.claim_next(WORKER, FINGERPRINT, "n") == first
    assert store.get("b").position == 1


def test_a_nonce_whose_job_is_over_gets_the_next_one(store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    taken = store.claim_next(WORKER, FINGERPRINT, "n")
    assert taken is not None
    finish(store, taken)
    again = store.claim_next(WORKER, FINGERPRINT, "n")
    assert again is not None
    assert again.job.id == "b"


def test_another_worker_with_the_same_nonce_gets_its_own_job(store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    taken = [store.claim_next(worker, FINGERPRINT, "n") for worker in ("w1", "w2")]
    assert [each and each.job.id for each in taken] == ["a", "b"]


def test_only_a_worker_with_its_model_claims_a_job(store: JobStore) -> None:
    submit(store, "a", fingerprint="other-model")
    assert store.claim_next(WORKER, FINGERPRINT, "n1") is None
    taken = store.claim_next(WORKER, "other-model", "n2")
    assert taken is not None


def test_priorities_share_the_claims_eight_to_three_to_one(store: JobStore) -> None:
    names = {
        store.submit(make_new_job(priority=p), max_queued=1000).job.id: p for p in Priority for _ in range(24)
    }
    order = [names[id] for id in claimed_ids(store)]
    assert order[0] == Priority.HIGH
    assert Counter(order[:24]) == {Priority.HIGH: 16, Priority.NORMAL: 6, Priority.LOW: 2}
    assert len(order) == 72


def test_a_priority_saves_up_no_claims_while_it_is_empty(store: JobStore) -> None:
    for _ in range(50):
        submit(store, priority=Priority.HIGH)
    claimed_ids(store)
    names = {submit(store, priority=p).id: p for p in Priority for _ in range(12)}
    first = Counter(names[id] for id in claimed_ids(store)[:12])
    # High has paid for its last claim, which may cost it one of these.
    assert first[Priority.HIGH] >= 7
    assert first[Priority.LOW] <= 2


def test_owners_take_turns_within_a_priority(store: JobStore) -> None:
    for owner, count in (("a", 4), ("b", 1), ("c", 2)):
        for i in range(count):
            submit(store, f"{owner}{i}", owner=owner)
    assert store.get("b0", owner="b").position == 2
    assert claimed_ids(store) == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]


def test_an_owner_that_comes_later_gets_the_next_turn_not_a_share_of_the_past(store: JobStore) -> None:
    for i in range(6):
        submit(store, f"a{i}", owner="a")
    for _ in range(3):
        claim(store)
    for i in range(3):
        submit(store, f"b{i}", owner="b")
    assert claimed_ids(store) == ["b0", "a3", "b1", "a4", "b2", "a5"]


def test_an_owner_that_submits_one_job_at_a_time_gets_no_more_than_its_turn(store: JobStore) -> None:
    for i in range(4):
        submit(store, f"a{i}", owner="a")
    order = []
    for i in range(4):
        submit(store, f"b{i}", owner="b")
        order += [claim(store).job.id, claim(store).job.id]
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]


def test_canceled_jobs_do_not_cost_their_owner_a_turn_each(store: JobStore) -> None:
    for i in range(6):
        submit(store, f"a{i}", owner="a")
        submit(store, f"b{i}", owner="b")
    for i in range(6):
        store.cancel(f"b{i}", owner="b")
    submit(store, "late", owner="b")
    assert claimed_ids(store)[:3] == ["a0", "a1", "late"]


def test_owners_that_come_once_are_not_remembered(store: JobStore) -> None:
    for i in range(40):
        submit(store, owner="steady")
        submit(store, owner=f"once-{i}")
        claim(store)
        if i % 2:
            claim(store)
    assert store.client.zcard(f"{store.namespace}:turns:{FINGERPRINT}:normal") < 25
    claimed_ids(store)
    assert not store.client.exists(f"{store.namespace}:turns:{FINGERPRINT}:normal")


def test_submitting_and_canceling_gains_no_turns(store: JobStore) -> None:
    for i in range(3):
        submit(store, f"a{i}", owner="a")
    order = []
    for i in range(3):
        submit(store, f"b{i}", owner="b")
        order += [claim(store).job.id, claim(store).job.id]
        submit(store, f"decoy{i}", owner="b")
        store.cancel(f"decoy{i}", owner="b")
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_job_past_its_deadline_is_not_claimed_but_expired(store: JobStore) -> None:
    submit(store, "late", deadline_seconds=5)
    submit(store, "other")
    let_pass(store, 6)
    assert claimed_ids(store) == ["other"]
    job = store.get("late")
    assert job.status == JobStatus.EXPIRED
    assert job.error is not None
    assert job.error.code == "expired"


def test_a_record_deleted_by_hand_stops_nobody(store: JobStore) -> None:
    submit(store, "deleted")
    submit(store, "other")
    store.client.delete(f"{store.namespace}:job:deleted")
    assert claimed_ids(store) == ["other"]
