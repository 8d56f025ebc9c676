"""What the scripts count of every job, exactly once, whoever ends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.jobs.batch_store import BatchStore
from tasks.jobs.counters import Counters
from tasks.jobs.models import JobError, JobStatus, Mode, Priority
from tasks.jobs.protocol import Ages, FinishEntry, Outcome, StepEntry
from tasks.jobs.store import MAX_LOSSES, JobStore
from tests.batch_steps import submit_batch
from tests.factories import FINGERPRINT
from tests.job_steps import WORKER, claim, finish, step, submit, succeeded
from tests.time_travel import let_pass

LEASE = 11


def ends(store: JobStore) -> dict[tuple[str, ...], int]:
    counters = store.counters()
    return {labels: counters.count("ended", *labels) for labels in counters.labels("ended")}


def observed(counters: Counters, *series: str) -> int:
    return sum(counters.distribution(*series).buckets.values())


def finish_with(store: JobStore, status: JobStatus, code: str = "") -> None:
    taken = claim(store)
    step(store, taken, num_tokens=1)
    error = JobError(code=code, detail="") if code else None
    outcome = Outcome(status=status, error=error, num_tokens=1)
    for _ in range(2):  # Its answer was lost, and the worker says it again.
        assert store.finish(WORKER, taken.job.id, taken.attempt, outcome)


def lose_workers(store: JobStore) -> None:
    for _ in range(MAX_LOSSES):
        step(store, claim(store))
        let_pass(store, LEASE)
        store.reap()


def expire_in_the_queue(store: JobStore) -> None:
    let_pass(store, 101)
    store.reap()


def pass_the_deadline_at_a_dead_worker(store: JobStore) -> None:
    step(store, claim(store))
    let_pass(store, 101)
    store.reap()


def find_no_model(store: JobStore) -> None:
    claim(store)
    store.release(WORKER, "a", 1)
    let_pass(store, 90)
    store.client.hset(f"{store.namespace}:job:a", "deadline_at", "")
    store.client.zadd(f"{store.namespace}:due", {"a": 1})
    let_pass(store, 601)
    store.reap()


def cancel_at_a_dead_worker(store: JobStore) -> None:
    claim(store)
    store.cancel("a")
    let_pass(store, LEASE)
    store.reap()


def cancel_before_it_is_handed_back(store: JobStore) -> None:
    claim(store)
    store.cancel("a")
    store.release(WORKER, "a", 1)


def cancel_twice(store: JobStore) -> None:
    store.cancel("a")
    store.cancel("a")


@pytest.mark.parametrize(
    ("end", "counted"),
    [
        (lambda store: finish_with(store, JobStatus.SUCCEEDED), ("succeeded", "")),
        (lambda store: finish_with(store, JobStatus.FAILED, "out_of_memory"), ("failed", "out_of_memory")),
        (lambda store: finish_with(store, JobStatus.CANCELED), ("canceled", "")),
        (lambda store: finish_with(store, JobStatus.EXPIRED, "expired"), ("expired", "expired")),
        (lose_workers, ("failed", "worker_lost")),
        (expire_in_the_queue, ("expired", "expired")),
        (pass_the_deadline_at_a_dead_worker, ("failed", "deadline_exceeded")),
        (find_no_model, ("failed", "model_unavailable")),
        (cancel_twice, ("canceled", "")),
        (cancel_at_a_dead_worker, ("canceled", "")),
        (cancel_before_it_is_handed_back, ("canceled", "")),
    ],
)
def test_an_end_is_counted_once_whoever_brings_it_about(
    store: JobStore, end: Callable[[JobStore], None], counted: tuple[str, str]
) -> None:
    submit(store, "a", priority=Priority.HIGH, deadline_seconds=100.0)
    end(store)
    status = counted[0]
    assert store.get("a").status is JobStatus(status)
    assert ends(store) == {(*counted, "high"): 1}
    assert store.fleet().ended[JobStatus(status)] == 1
    counters = store.counters()
    assert observed(counters, "latency", "async") == (status != "canceled")
    assert sum(counters.count("canceled", *labels) for labels in counters.labels("canceled")) == (
        status == "canceled"
    )


def test_a_canceled_job_is_counted_by_how_far_it_had_come(store: JobStore) -> None:
    submit(store, "queued")
    store.cancel("queued")
    submit(store, "claimed")
    taken = claim(store)
    store.cancel("claimed")
    store.finish(WORKER, "claimed", taken.attempt, Outcome(status=JobStatus.CANCELED))
    submit(store, "running")
    taken = claim(store)
    step(store, taken)
    store.cancel("running")
    store.finish(WORKER, "running", taken.attempt, Outcome(status=JobStatus.CANCELED))

    counters = store.counters()

    assert {phase: counters.count("canceled", phase) for phase in ("queued", "claimed", "running")} == {
        "queued": 1,
        "claimed": 1,
        "running": 1,
    }


def test_jobs_are_counted_by_how_they_were_submitted(store: JobStore, batches: BatchStore) -> None:
    submit(store, mode=Mode.SYNC, num_prompt_tokens=3)
    submit(store, mode=Mode.STREAM, num_prompt_tokens=4)
    submit(store, priority=Priority.LOW, num_prompt_tokens=5)
    before = store.counters().count("prompt_tokens")
    submit_batch(batches, "b", 2)

    counters = store.counters()

    assert before == 12
    assert counters.count("submitted", "sync", "normal") == 1
    assert counters.count("submitted", "stream", "normal") == 1
    assert counters.count("submitted", "async", "low") == 1
    assert counters.count("submitted", "batch", "low") == 2


def test_a_submit_that_is_repeated_is_counted_once(store: JobStore) -> None:
    for _ in range(3):
        submit(store, "a")
    assert store.counters().count("submitted", "async", "normal") == 1


def test_claims_and_jobs_that_come_back_are_counted(store: JobStore) -> None:
    submit(store, "a")
    store.claim_next(WORKER, FINGERPRINT, "nonce")
    store.claim_next(WORKER, FINGERPRINT, "nonce")  # The reply was lost.
    store.release(WORKER, "a", 1)
    store.release(WORKER, "a", 1)
    claim(store)
    let_pass(store, LEASE)
    store.reap()
    claim(store)

    counters = store.counters()

    assert counters.count("attempts", "normal") == 3
    assert counters.count("redeliveries", "handed_back") == 1
    assert counters.count("redeliveries", "worker_lost") == 1


def test_a_step_of_a_lost_attempt_is_counted(store: JobStore) -> None:
    submit(store)
    taken = claim(store)
    let_pass(store, LEASE)
    store.reap()
    step(store, taken)
    assert store.counters().count("stale_steps") == 1


def test_times_are_those_that_the_job_has(store: JobStore) -> None:
    submit(store, "a", mode=Mode.SYNC, num_rows=2)
    let_pass(store, 3)
    taken = claim(store)
    entry = StepEntry(job_id="a", attempt=1, started=True, num_tokens=2, ages=Ages(first_token_ms=0))
    store.step(WORKER, [entry])
    let_pass(store, 40)
    store.finish_all(
        WORKER, [FinishEntry(job_id="a", attempt=taken.attempt, outcome=succeeded("x" * 41, "y" * 41))]
    )

    counters = store.counters()

    assert observed(counters, "queue_wait", "normal") == 1
    assert counters.distribution("queue_wait", "normal").sum_seconds == pytest.approx(3, abs=1)
    assert counters.distribution("first_token").sum_seconds == pytest.approx(3, abs=1)
    assert counters.distribution("latency", "sync").buckets == {60: 1}
    assert counters.distribution("latency", "sync").sum_seconds == pytest.approx(43, abs=1)
    assert counters.distribution("token").sum_seconds == pytest.approx(1, abs=0.05)
    assert counters.count("generated_tokens") == 82


def test_what_never_started_has_no_times_of_a_start(store: JobStore) -> None:
    submit(store, deadline_seconds=5.0)
    let_pass(store, 6)
    store.reap()
    counters = store.counters()
    assert observed(counters, "queue_wait", "normal") == observed(counters, "first_token") == 0
    assert counters.distribution("latency", "async").buckets == {10: 1}


def test_a_job_that_takes_longer_than_every_bound_is_counted(store: JobStore) -> None:
    submit(store)
    let_pass(store, 3000)
    finish(store, claim(store))
    assert store.counters().distribution("latency", "async").buckets == {float("inf"): 1}


def test_counters_that_somebody_has_overwritten_keep_no_job_from_its_end(store: JobStore) -> None:
    store.client.set(f"{store.namespace}:counters", "garbage")
    submit(store, "a")
    finish(store, claim(store))
    assert store.get("a").status is JobStatus.SUCCEEDED


def test_what_another_version_has_counted_is_passed_over(store: JobStore) -> None:
    submit(store, "a")
    finish(store, claim(store))
    known = store.counters().distribution("latency", "async")
    more = {"latency:async:word": "7", "latency:async:sum:x": "7", "latency:sync:sum": "9" * 400}
    store.client.hset(f"{store.namespace}:counters", mapping=more)
    assert store.counters().distribution("latency", "async") == known
    assert store.counters().distribution("latency", "sync").sum_seconds == 0
