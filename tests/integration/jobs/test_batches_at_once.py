"""Batches with many clients and workers at once, on a real server."""

from __future__ import annotations

import random
import uuid
from collections import Counter

from tasks.jobs.batch import BatchStatus
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.errors import BatchesFull
from tasks.jobs.models import JobError, JobStatus
from tasks.jobs.protocol import Claim, Outcome
from tasks.jobs.store import JobStore
from tests.batch_steps import counts, make_new_batch, start, submit_batch, upload
from tests.factories import FINGERPRINT
from tests.integration.jobs.test_concurrency import at_once
from tests.job_steps import OF_ALL_JOBS, finish
from tests.time_travel import let_pass


class Workers:
    """Claim items and end them in one way or the other, or forget about them, until all batches are over."""

    def __init__(self, store: JobStore, batches: BatchStore, *batch_ids: str) -> None:
        self._store = store
        self._batches = batches
        self._batch_ids = batch_ids
        self.most_live = 0
        self.ended: list[str] = []  #: Jobs whose end a worker wrote, and the store took.

    def work(self, i: int) -> None:
        chance = random.Random(i)
        while not all(self._batches.get(each).status.terminal for each in self._batch_ids):
            claim = self._store.claim_next(f"worker-{i}", FINGERPRINT, f"{chance.random()}")
            if claim is None:
                self._store.reap()
            else:
                self._handle(i, claim, chance)
            self.most_live = max(self.most_live, *map(self._live, self._batch_ids))

    def _live(self, batch_id: str) -> int:
        found = self._batches.get(batch_id).counts
        return found.queued + found.running

    def _handle(self, i: int, claim: Claim, chance: random.Random) -> None:
        fate = chance.random()
        if fate < 0.1:
            self._store.release(f"worker-{i}", claim.job.id, claim.attempt)
            return
        error = JobError(code="model_error", detail="It broke.")
        outcome = Outcome(status=JobStatus.FAILED, error=error)
        done = (
            self._store.finish(f"worker-{i}", claim.job.id, claim.attempt, outcome)
            if fate < 0.2
            else finish(self._store, claim, worker=f"worker-{i}")
        )
        if done:
            self.ended.append(claim.job.id)


def test_every_item_ends_exactly_once_whatever_its_workers_do(store: JobStore, batches: BatchStore) -> None:
    submit_batch(batches, "a", 300)
    submit_batch(batches, "b", 200)
    workers = Workers(store, batches, "a", "b")

    at_once(6, workers.work)

    assert workers.most_live <= 64
    assert Counter(workers.ended) == {
        f"{name}-{i}": 1 for name, n in (("a", 300), ("b", 200)) for i in range(n)
    }
    for name in ("a", "b"):
        assert batches.get(name).status == BatchStatus.COMPLETED
        found = batches.results(name, 0, 300)
        assert dict(Counter(each.status for each in found)) == counts(batches, name)
        assert [each.job_id for each in found] == [f"{name}-{i}" for i in range(len(found))]


def test_a_cancel_among_workers_leaves_no_item_behind(store: JobStore, batches: BatchStore) -> None:
    for round_number in range(5):
        name = f"batch-{round_number}"
        submit_batch(batches, name, 200)
        workers = Workers(store, batches, name)
        enough = 20 * round_number

        def act(i: int, name: str = name, workers: Workers = workers, enough: int = enough) -> None:
            if i:
                workers.work(i)
                return
            while batches.get(name).counts.succeeded <= enough:
                pass
            batches.cancel(name)

        at_once(5, act)
        found = counts(batches, name)
        states = Counter(each.status for each in batches.results(name, 0, 200))
        assert dict(states) == found
        assert len(workers.ended) == found.get("succeeded", 0) + found.get("failed", 0)
        assert batches.get(name).status == (
            BatchStatus.CANCELED if found.get("canceled") else BatchStatus.COMPLETED
        )
    assert store.num_queued() == 0


def test_the_same_key_at_once_makes_one_batch(store: JobStore, batches: BatchStore) -> None:
    def send(i: int) -> tuple[str, bool]:
        upload(batches, f"b-{i}", 100)
        return start(batches, make_new_batch(f"b-{i}", total=100, idempotency_key="k", digest="d"))

    answers = at_once(20, send)
    assert len({name for name, _ in answers}) == 1
    assert [created for _, created in answers].count(True) == 1
    assert store.num_queued() == 64
    uploads = list(store.client.scan_iter("*:batch_items:*"))
    assert uploads == [f"{store.namespace}:batch_items:{answers[0][0]}"]


def test_the_limit_of_unfinished_items_holds_against_many_at_once(
    store: JobStore, batches: BatchStore
) -> None:
    def send(i: int) -> bool:
        upload(batches, f"b-{i}", 10)
        try:
            start(batches, make_new_batch(f"b-{i}", total=10), max_unfinished=50)
        except BatchesFull:
            return False
        return True

    assert at_once(20, send).count(True) == 5


def test_retention_leaves_tombstones_alone(store: JobStore, batches: BatchStore) -> None:
    for i in range(30):
        submit_batch(batches, f"b-{i}", 70, ttl_seconds=2, idempotency_key=f"k-{i}", digest="d")
    batches.cancel("b-29")
    while claim := store.claim_next("w", FINGERPRINT, uuid.uuid4().hex):
        finish(store, claim, worker="w")
    let_pass(store, 301)
    store.reap()
    left = Counter(key.split(":")[1] for key in store.client.scan_iter(f"{store.namespace}:*"))
    assert left.pop("tombstone") == 30 + 29 * 70 + 64
    assert left.keys() <= OF_ALL_JOBS
    assert all(store.client.pttl(key) > 0 for key in store.client.scan_iter("*:tombstone:*"))
