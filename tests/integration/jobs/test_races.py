"""Two ends of one job at once, on a real server: exactly one of them comes true."""

from __future__ import annotations

import uuid
from collections import Counter

from tasks.jobs.errors import JobGone
from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import CancelVerdict, Claim
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.integration.jobs.test_concurrency import at_once
from tests.job_steps import events, finish, step, submit

WORKERS = ("worker-0", "worker-1", "worker-2")


def claim_as(store: JobStore, worker: str) -> Claim | None:
    return store.claim_next(worker, FINGERPRINT, uuid.uuid4().hex)


def test_a_deadline_that_passes_while_workers_claim_ends_a_job_or_lets_it_run(store: JobStore) -> None:
    for round_number in range(10):
        # They pass one after the other while the claims come in.
        ids = [
            submit(store, f"{round_number}-{i}", deadline_seconds=0.001 * (1 + i // 3)).id for i in range(30)
        ]
        claimed: list[tuple[str, Claim]] = []

        def act(i: int, claimed: list[tuple[str, Claim]] = claimed) -> None:
            while store.num_queued():
                if i < len(WORKERS):
                    taken = claim_as(store, WORKERS[i])
                    if taken is not None:
                        claimed.append((WORKERS[i], taken))
                else:
                    store.reap()

        at_once(len(WORKERS) + 1, act)
        running = Counter(taken.job.id for _, taken in claimed)
        for id in ids:
            job = store.get(id)
            assert (job.status is JobStatus.EXPIRED) == (id not in running)
            ends = [event for event in events(store, id) if event["event"] == "done"]
            assert len(ends) == (job.status is JobStatus.EXPIRED)
        assert set(running.values()) <= {1}, "no job was claimed twice"
        for worker, taken in claimed:
            assert finish(store, taken, worker=worker), "a claim that came in time is a claim"


def test_a_worker_that_ends_a_job_while_its_lease_runs_out_wins_or_loses_it_whole(store: JobStore) -> None:
    for _ in range(20):
        job = submit(store, deadline_seconds=60)
        taken = store.claim_next("worker-0", FINGERPRINT, uuid.uuid4().hex, lease_seconds=0.002)
        assert taken is not None
        won, _ = at_once(
            2, lambda i, taken=taken: store.reap() if i else finish(store, taken, worker="worker-0")
        )
        now = store.get(job.id)
        assert (now.status is JobStatus.SUCCEEDED) == won
        if not won:
            assert (now.status, now.losses, now.position) == (JobStatus.QUEUED, 1, 1)
            assert store.cancel(job.id) is CancelVerdict.CANCELED


def test_a_job_that_is_read_while_it_expires_is_there_or_gone(store: JobStore) -> None:
    """Never unknown: the tombstone is older than the end of the record."""
    jobs = [submit(store, ttl_seconds=1) for _ in range(20)]
    while taken := claim_as(store, "worker-0"):
        step(store, taken, worker="worker-0")
        finish(store, taken, worker="worker-0")

    def read(i: int) -> bool:
        while True:
            try:
                assert store.get(jobs[i].id).status is JobStatus.SUCCEEDED
            except JobGone:
                return True

    assert all(at_once(len(jobs), read))
