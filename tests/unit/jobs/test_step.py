"""The worker's heartbeat: leases, text and verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import Ages, StepEntry, StepReply, Verdict
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_card
from tests.job_steps import WORKER, claim, events, finish, step, streamed_text, submit, text_piece
from tests.time_travel import let_pass


def test_a_job_runs_from_the_first_step_that_says_it_started(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    step(store, taken, started=False)
    assert store.get("a").status == JobStatus.QUEUED

    step(store, taken)
    running = store.get("a")
    step(store, taken)

    assert running.status == JobStatus.RUNNING
    assert running.started_at is not None
    assert running.first_token_at is None
    assert store.get("a").started_at == running.started_at
    assert events(store, "a") == [{"event": "started", "attempt": "1"}]


def test_the_time_of_the_first_token_stays(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    step(store, taken, num_tokens=1)
    first = store.get("a")
    let_pass(store, 1)
    step(store, taken, num_tokens=9)
    assert first.first_token_at is not None
    assert store.get("a").first_token_at == first.first_token_at - 1
    assert (first.num_tokens, store.get("a").num_tokens) == (1, 9)


def test_start_and_first_token_are_when_they_happened_not_when_they_were_told(store: JobStore) -> None:
    submit(store, "a")
    let_pass(store, 10)
    taken = claim(store)
    ages = Ages(started_ms=700, first_token_ms=300)
    entry = StepEntry(job_id="a", attempt=taken.attempt, started=True, num_tokens=1, ages=ages)
    store.step(WORKER, [entry])
    job = store.get("a")
    assert job.started_at is not None
    assert job.first_token_at is not None
    assert job.first_token_at - job.started_at == pytest.approx(0.4)

    store.step(WORKER, [replace(entry, ages=Ages(started_ms=5000, first_token_ms=4000))])
    assert store.get("a") == job


def test_no_job_starts_before_it_was_created(store: JobStore) -> None:
    created = submit(store, "a").created_at
    ages = Ages(started_ms=60_000, first_token_ms=90_000)
    store.step(
        WORKER,
        [StepEntry(job_id="a", attempt=claim(store).attempt, started=True, num_tokens=1, ages=ages)],
    )
    job = store.get("a")
    assert (job.started_at, job.first_token_at) == (created, created)


def test_text_is_appended_where_the_stored_text_ends(store: JobStore) -> None:
    submit(store, "a", num_rows=2)
    taken = claim(store)
    assert step(store, taken, text_piece("né😀\0")).stored == (4, 0)
    assert step(store, taken, text_piece("!", 4), text_piece("two", 0, row=1)).stored == (5, 3)
    assert streamed_text(store, "a", 1) == "né😀\0!"
    assert streamed_text(store, "a", 1, row=1) == "two"


def test_a_repeated_step_appends_nothing(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    first = step(store, taken, text_piece("Hello"))
    assert step(store, taken, text_piece("Hello")) == first
    assert streamed_text(store, "a", 1) == "Hello"


def test_text_that_leaves_a_gap_is_skipped_and_the_answer_says_where_to_go_on(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    step(store, taken, text_piece("Hel"))
    assert step(store, taken, text_piece("o", 4)).stored == (3,)
    assert streamed_text(store, "a", 1) == "Hel"


def test_a_step_renews_exactly_the_jobs_it_lists(store: JobStore) -> None:
    submit(store, "listed")
    submit(store, "forgotten")
    listed, _ = claim(store), claim(store)
    let_pass(store, 8)
    step(store, listed)
    let_pass(store, 4)
    assert store.reap().requeued == 1
    assert store.get("listed").status == JobStatus.RUNNING
    assert store.get("forgotten").position == 1


def test_an_expired_lease_that_nobody_took_can_be_renewed(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    let_pass(store, 60)
    assert step(store, taken).verdict == Verdict.OK
    assert store.reap().requeued == 0


def test_a_canceled_job_is_told_to_stop(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    store.cancel("a")
    assert step(store, taken, text_piece("so far")).verdict == Verdict.CANCEL
    assert streamed_text(store, "a", 1) == "so far"


def test_a_job_past_its_deadline_is_told_to_stop(store: JobStore) -> None:
    submit(store, "a", deadline_seconds=5)
    taken = claim(store)
    assert step(store, taken).verdict == Verdict.OK
    let_pass(store, 6)
    assert step(store, taken).verdict == Verdict.DEADLINE


def test_the_writer_of_an_earlier_attempt_is_told_that_it_lost(store: JobStore) -> None:
    submit(store, "a")
    old = claim(store)
    step(store, old, text_piece("old text"))
    let_pass(store, 11)
    store.reap()
    new = claim(store, "worker-2")

    late = step(store, old, text_piece("x", 8))

    assert (late.verdict, late.stored) == (Verdict.LOST, ())
    assert step(store, new, text_piece("new"), worker="worker-2").stored == (3,)
    assert streamed_text(store, "a", 2) == "new"
    assert (old.attempt, new.attempt) == (1, 2)


def test_another_worker_cannot_step_a_job_even_with_its_attempt(store: JobStore) -> None:
    submit(store, "a")
    assert step(store, claim(store), worker="impostor").verdict == Verdict.LOST


def test_jobs_that_ended_and_jobs_that_never_were_are_lost(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    finish(store, taken)
    unknown = StepEntry(job_id="unknown", attempt=1, started=True, num_tokens=0)
    assert step(store, taken).verdict == Verdict.LOST
    assert [answer.verdict for answer in store.step(WORKER, [unknown]).answers] == [Verdict.LOST]


def test_a_step_tells_a_worker_that_the_server_has_lost_it(store: JobStore) -> None:
    store.register_model(make_card(), "{}", WORKER, slots=4)
    submit(store, "a")
    taken = claim(store)
    assert store.step(WORKER, []).registered

    store.client.flushall()
    assert store.step(WORKER, []) == StepReply(registered=False, answers=())
    assert step(store, taken).verdict == Verdict.LOST

    assert store.claim_next(WORKER, FINGERPRINT, "nonce") is None
    assert not store.step(WORKER, []).registered, "a claim does not bring back the model's card"
    store.register_model(make_card(), "{}", WORKER, slots=4)
    assert store.step(WORKER, []).registered


def test_a_step_without_jobs_keeps_the_worker_alive(store: JobStore) -> None:
    store.register_model(make_card(), "{}", WORKER, slots=4)
    let_pass(store, 8)
    assert store.step(WORKER, []) == StepReply(registered=True, answers=())
    let_pass(store, 8)
    assert store.stats().num_workers == 1
    let_pass(store, 8)
    assert store.stats().num_workers == 0


def test_the_worker_learns_that_somebody_reads_a_job_from_its_claim_or_its_next_step(store: JobStore) -> None:
    submit(store, "a", followed=True)
    submit(store, "b")
    first, second = claim(store), claim(store)
    assert (first.job.followed, second.job.followed) == (True, False)
    assert not step(store, second).followed
    store.follow("b")
    assert step(store, second).followed


def test_who_reads_a_job_that_is_over_changes_nothing(store: JobStore) -> None:
    submit(store, "a")
    store.cancel("a")
    ended = store.get("a")
    store.follow("a")
    store.follow("unknown")
    assert store.get("a") == ended
    assert not store.client.exists("neoserve:job:unknown")
