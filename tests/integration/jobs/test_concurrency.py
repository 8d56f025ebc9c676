"""Many clients and workers at once, on a real server."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tasks.jobs.errors import QueueFull
from tasks.jobs.models import JobStatus, Priority
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_new_job
from tests.job_steps import claimed_ids, finish, submit
from tests.time_travel import let_pass

Result = TypeVar("Result")


def at_once(count: int, act: Callable[[int], Result]) -> list[Result]:
    """Runs `act(0)` … `act(count - 1)` in as many threads, which begin together."""
    begin = threading.Barrier(count)

    def run(i: int) -> Result:
        begin.wait(10)
        return act(i)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def test_no_job_is_claimed_twice_and_none_is_forgotten(store: JobStore) -> None:
    submitted = {submit(store, owner=str(i % 3)).id for i in range(300)}
    claimed = [id for ids in at_once(12, lambda i: claimed_ids(store, f"worker-{i}")) for id in ids]
    assert len(claimed) == 300
    assert set(claimed) == submitted


def test_jobs_submitted_while_others_are_claimed_all_arrive(store: JobStore) -> None:
    finished = threading.Event()
    claimed: list[str] = []

    def work(i: int) -> None:
        last_look = False
        while not last_look:
            last_look = finished.is_set()
            claimed.extend(claimed_ids(store, f"worker-{i}"))

    def act(i: int) -> None:
        if i < 4:
            work(i)
        else:
            submitted.extend(submit(store, owner=f"owner-{i}").id for _ in range(50))
            if len(submitted) == 200:
                finished.set()

    submitted: list[str] = []
    at_once(8, act)
    assert Counter(claimed) == Counter(submitted)


def test_the_same_idempotency_key_at_once_makes_one_job(store: JobStore) -> None:
    for round_number in range(10):

        def send(i: int, key: str = f"key-{round_number}") -> str:
            new = make_new_job(f"{key}-{i}", idempotency_key=key, body_digest="d")
            return store.submit(new, max_queued=1000).job.id

        assert len(set(at_once(16, send))) == 1
    assert store.num_queued() == 10


def test_the_limit_holds_against_many_submits_at_once(store: JobStore) -> None:
    def send(i: int) -> bool:
        try:
            store.submit(make_new_job(), max_queued=5)
        except QueueFull:
            return False
        return True

    assert at_once(20, send).count(True) == 5
    assert store.num_queued() == 5


def test_reapers_at_once_take_each_job_once(store: JobStore) -> None:
    for _ in range(250):
        submit(store)
    claimed_ids(store)
    let_pass(store, 11)
    reports = at_once(8, lambda i: store.reap())
    assert sum(report.requeued for report in reports) == 250
    assert store.num_queued() == 250
    assert {store.get(id).losses for id in store.oldest_queued(250)} == {1}


def test_only_one_of_a_worker_and_a_cancel_ends_a_job(store: JobStore) -> None:
    for _ in range(30):
        job = submit(store)
        taken = store.claim_next("w", FINGERPRINT, uuid.uuid4().hex)
        assert taken is not None
        results = at_once(
            2, lambda i, taken=taken: store.cancel(taken.job.id) if i else finish(store, taken, worker="w")
        )
        assert results[0] is True
        assert store.get(job.id).status == JobStatus.SUCCEEDED


def test_weights_and_turns_hold_for_many_claimers(store: JobStore) -> None:
    jobs = {}
    for priority in Priority:
        for i in range(120):
            job = submit(store, priority=priority, owner=f"owner-{i % 2}")
            jobs[job.id] = job
    order: list[str] = []

    def work(i: int) -> None:
        for _ in range(15):
            taken = store.claim_next(f"worker-{i}", FINGERPRINT, uuid.uuid4().hex)
            assert taken is not None
            order.append(taken.job.id)

    at_once(8, work)
    claimed = [jobs[id] for id in order]
    assert Counter(job.priority for job in claimed) == {
        Priority.HIGH: 80,
        Priority.NORMAL: 30,
        Priority.LOW: 10,
    }
    owners = Counter(job.owner for job in claimed if job.priority == Priority.HIGH)
    assert owners == {"owner-0": 40, "owner-1": 40}
