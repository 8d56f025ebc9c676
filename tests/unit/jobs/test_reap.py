"""What is taken from dead workers, and what ends by the clock."""

from __future__ import annotations

import pytest

from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import ReapReport
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_card
from tests.job_steps import WORKER, claim, claimed_ids, finish, step, submit, text_piece
from tests.time_travel import let_pass


def lose(store: JobStore, *, started: bool = True) -> None:
    step(store, claim(store), started=started)
    let_pass(store, 11)
    store.reap()


def error_code(store: JobStore, job_id: str) -> str | None:
    error = store.get(job_id).error
    return error.code if error else None


def test_there_is_nothing_to_reap(store: JobStore) -> None:
    submit(store)
    claim(store)
    submit(store)
    assert store.reap() == ReapReport(num_queued=1)


def test_a_job_of_a_dead_worker_returns_to_its_place(store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    step(store, claim(store), text_piece("half"), num_tokens=1)
    let_pass(store, 11)

    assert store.reap() == ReapReport(requeued=1, num_queued=2)

    job = store.get("a")
    assert (job.status, job.position, job.losses, job.num_tokens) == (JobStatus.QUEUED, 1, 1, 0)
    assert claimed_ids(store) == ["a", "b"]


def test_a_job_that_lost_two_workers_runs_alone_and_fails_with_the_third(store: JobStore) -> None:
    submit(store, "poison")
    lose(store)
    assert not claim(store).alone
    let_pass(store, 11)
    store.reap()
    last = claim(store)
    assert last.alone
    step(store, last)
    let_pass(store, 11)
    assert store.reap() == ReapReport(worker_lost=1)
    job = store.get("poison")
    assert (job.status, job.losses, job.attempt) == (JobStatus.FAILED, 3, 3)
    assert error_code(store, "poison") == "worker_lost"


def test_a_job_that_only_waited_to_run_alone_does_not_fail_with_its_worker(store: JobStore) -> None:
    submit(store, "good")
    for _ in range(4):
        lose(store, started=False)
    job = store.get("good")
    assert (job.status, job.losses, job.attempt) == (JobStatus.QUEUED, 4, 4)
    assert claim(store).alone


def test_being_handed_back_is_no_loss(store: JobStore) -> None:
    submit(store, "a")
    for attempt in range(1, 6):
        assert claim(store).attempt == attempt
        store.release(WORKER, "a", attempt)
    assert store.get("a").losses == 0


def test_a_waiting_job_expires_at_its_deadline(store: JobStore) -> None:
    submit(store, "a", deadline_seconds=5)
    submit(store, "b", deadline_seconds=60)
    let_pass(store, 6)
    assert store.reap() == ReapReport(expired=1, num_queued=1)
    assert store.get("a").status == JobStatus.EXPIRED
    assert error_code(store, "a") == "expired"


def test_a_running_job_with_a_live_worker_is_left_to_it_at_its_deadline(store: JobStore) -> None:
    submit(store, "a", deadline_seconds=5)
    taken = claim(store)
    let_pass(store, 6)
    step(store, taken)
    assert store.reap() == ReapReport()
    assert store.get("a").status == JobStatus.RUNNING


def test_a_running_job_past_its_deadline_fails_when_its_worker_is_dead(store: JobStore) -> None:
    submit(store, "a", deadline_seconds=5)
    step(store, claim(store))
    let_pass(store, 11)
    assert store.reap() == ReapReport(deadline_exceeded=1)
    assert store.get("a").status == JobStatus.FAILED
    assert error_code(store, "a") == "deadline_exceeded"


def test_a_claimed_job_that_never_started_expires_when_its_worker_is_dead(store: JobStore) -> None:
    submit(store, "a", deadline_seconds=5)
    claim(store)
    let_pass(store, 11)
    assert store.reap() == ReapReport(expired=1)
    assert store.get("a").status == JobStatus.EXPIRED


def test_a_job_fails_when_no_worker_with_its_model_was_there_for_ten_minutes(store: JobStore) -> None:
    submit(store, "a")
    let_pass(store, 590)
    assert store.reap() == ReapReport(num_queued=1)
    let_pass(store, 20)
    assert store.reap() == ReapReport(model_unavailable=1)
    assert store.get("a").status == JobStatus.FAILED
    assert error_code(store, "a") == "model_unavailable"


def test_a_job_waits_as_long_as_it_takes_while_a_worker_with_its_model_lives(store: JobStore) -> None:
    submit(store, "a")
    store.register_model(make_card(), "{}", WORKER, slots=1)
    for _ in range(3):
        let_pass(store, 500)
        store.step(WORKER, [])
        assert store.reap().model_unavailable == 0
    let_pass(store, 590)
    assert store.reap().model_unavailable == 0
    let_pass(store, 20)
    assert store.reap().model_unavailable == 1


def test_a_worker_with_another_model_does_not_count(store: JobStore) -> None:
    submit(store, "a")
    let_pass(store, 610)
    store.claim_next(WORKER, "another-model", "n")
    assert store.reap().model_unavailable == 1


def test_a_job_with_a_deadline_waits_for_a_worker_until_then(store: JobStore) -> None:
    submit(store, "a", deadline_seconds=1000)
    let_pass(store, 900)
    assert store.reap() == ReapReport(num_queued=1)
    let_pass(store, 200)
    assert store.reap() == ReapReport(expired=1)


def test_more_than_one_batch_is_reaped_at_once(store: JobStore) -> None:
    for _ in range(101):
        submit(store)
    claimed_ids(store)
    for _ in range(101):
        submit(store, deadline_seconds=5)
    let_pass(store, 11)
    report = store.reap()
    assert (report.expired, report.requeued, report.num_queued) == (101, 101, 101)


def test_a_record_deleted_by_hand_stops_no_reaper(store: JobStore) -> None:
    for id in ("held", "waiting", "other"):
        submit(store, id, deadline_seconds=5)
    claim(store)
    store.client.delete(f"{store.namespace}:job:held", f"{store.namespace}:job:waiting")
    let_pass(store, 11)
    assert store.reap() == ReapReport(expired=1, trimmed=2)
    assert store.reap() == ReapReport()


@pytest.mark.parametrize("end", ["finished", "canceled", "lost"])
def test_nothing_is_left_of_a_job_when_all_its_times_are_over(store: JobStore, end: str) -> None:
    submit(store, "a", ttl_seconds=60, idempotency_key="k", owner="o")
    if end == "canceled":
        store.cancel("a", owner="o")
    elif end == "finished":
        finish(store, claim(store))
    else:
        for _ in range(3):
            lose(store)
    let_pass(store, 61)
    assert store.reap().trimmed >= 1
    let_pass(store, 24 * 3600)
    store.reap()
    left = {key.removeprefix(f"{store.namespace}:") for key in store.client.scan_iter("*")}
    # What remains belongs to the model, not to a job, an owner or a worker.
    assert left <= {
        "sequence",
        "seen",
        "schemas",
        "counters",
        f"passes:{FINGERPRINT}",
        f"served:{FINGERPRINT}",
    }
