"""What many short-lived jobs leave behind: nothing but tombstones, which have their end set."""

from __future__ import annotations

import itertools

import pytest

from api.same_again import same_again
from tasks.jobs.models import Job, JobError, JobStatus, Priority
from tasks.jobs.origin import Origin
from tasks.jobs.protocol import FinishEntry, Outcome, StepEntry
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tasks.jobs.webhook_queue import Settlement, WebhookQueue
from tests.factories import FINGERPRINT, make_new_job
from tests.job_steps import WORKER, succeeded, text_piece
from tests.waiting import wait_until
from tests.webhook_steps import BOTH, claim_deliveries, to

TTL_SECONDS = 2
LEASE_SECONDS = 0.3
ROUND = 50
DAY_MS = 24 * 3600 * 1000
OWNERS = ("", "one", "two")
ENDS = (
    succeeded("Once", "upon"),
    Outcome(status=JobStatus.FAILED, error=JobError(code="engine_failed", detail="It broke.")),
    Outcome(status=JobStatus.CANCELED),
)
#: As many as there are models, whatever number of jobs there was.
OF_MODELS = {
    *("sequence", "seen", "schemas", "counters"),
    *(f"{name}:{FINGERPRINT}" for name in ("passes", "served", "flow")),
}


def submit_some(store: JobStore, count: int) -> None:
    """A quarter has a deadline that nobody can meet, a quarter is canceled in the queue."""
    priorities = itertools.cycle(Priority)
    for i in range(count):
        new = make_new_job(
            f"job-{i}",
            num_rows=2,
            ttl_seconds=TTL_SECONDS,
            owner=OWNERS[i % 3],
            priority=next(priorities),
            deadline_seconds=0.001 if i % 4 == 0 else None,
            idempotency_key=f"key-{i}",
            body_digest="digest",
            webhook=to(f"host-{i % 3}.example.com", *BOTH) if i % 2 else None,
        )
        store.submit(new, max_queued=count)
        if i % 4 == 1:
            store.cancel(new.id, owner=new.owner)


def run_all(store: JobStore) -> int:
    """Runs what waits and retries a little of it; how many ran."""
    num_run = 0
    while ended := run_some(store, range(num_run, num_run + ROUND)):
        num_run += len(ended)
        job = store.get(ended[0].id, owner=ended[0].owner)
        if job.retry_of is None:
            store.submit(same_again(job, f"retry-{job.id}", f"again-{job.id}", Origin()), max_queued=10_000)
    return num_run


def run_some(store: JobStore, numbers: range) -> list[Job]:
    """Claims, streams a little of each job and ends it in one of several ways."""
    jobs: list[Job] = []
    finishes: list[FinishEntry] = []
    for number in numbers:
        taken = store.claim_next(WORKER, FINGERPRINT, f"nonce-{number}", lease_seconds=LEASE_SECONDS)
        if taken is None:
            break
        step = StepEntry(
            job_id=taken.job.id,
            attempt=taken.attempt,
            started=True,
            num_tokens=1,
            pieces=(text_piece("On"),),
        )
        store.step(WORKER, [step], lease_seconds=LEASE_SECONDS)
        if number % 10 == 0:
            store.cancel(taken.job.id, owner=taken.job.owner)
        outcome = ENDS[number % len(ENDS)]
        jobs.append(taken.job)
        finishes.append(FinishEntry(job_id=taken.job.id, attempt=taken.attempt, outcome=outcome))
    assert all(store.finish_all(WORKER, finishes))
    return jobs


def deliver_some(store: JobStore) -> None:
    """Some are over, some are tried again, from some nobody has come back, and some nobody has begun."""
    queue = WebhookQueue(store.client, store.namespace)
    room = {f"host-{i}.example.com": 20 for i in range(3)}
    for due, settlement in zip(
        claim_deliveries(queue, room=room), itertools.cycle([*Settlement, None]), strict=False
    ):
        if settlement is not None:
            queue.settle(due, settlement, status=500, retry_seconds=30)


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_jobs_leave_no_key_behind_but_tombstones_with_an_end(store: JobStore, count: int) -> None:
    reaper = Reaper(store, RecordingRing())
    submit_some(store, count)
    num_run = run_all(store)
    deliver_some(store)
    num_retried = num_run - count // 2
    assert num_retried > 0

    def left() -> set[str]:
        reaper.tick()
        store.reap()
        return {key.removeprefix(f"{store.namespace}:") for key in store.client.scan_iter("*", count=1000)}

    store.retire_worker(WORKER)
    wait_until(
        lambda: {key for key in left() if not key.startswith("tombstone:")} <= OF_MODELS,
        "every other key is gone",
        seconds=60,
    )
    tombstones = list(store.client.scan_iter(f"{store.namespace}:tombstone:*", count=1000))
    assert len(tombstones) == count + num_retried
    with store.client.pipeline(transaction=False) as pipeline:
        for key in tombstones:
            pipeline.pttl(key)
        times = pipeline.execute()
    assert all(0 < left_ms <= DAY_MS for left_ms in times)
