"""The terminal write, the way back into the queue, and what happens to late writers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tasks.jobs.errors import JobGone, JobNotFound
from tasks.jobs.models import JobError, JobStatus, Row
from tasks.jobs.protocol import Ages, FinishEntry, Outcome
from tasks.jobs.record import decode_job
from tasks.jobs.store import JobStore
from tests.job_steps import (
    WORKER,
    claim,
    claimed_ids,
    events,
    finish,
    step,
    streamed_text,
    submit,
    succeeded,
    text_piece,
)
from tests.time_travel import let_pass


def ending(job_id: str) -> FinishEntry:
    return FinishEntry(job_id=job_id, attempt=1, outcome=succeeded())


def test_a_finished_job_has_its_result_and_an_expiry(store: JobStore) -> None:
    submit(store, "a", ttl_seconds=60, num_rows=2)
    taken = claim(store)
    step(store, taken)
    rows = (
        Row(text="one é\0", finish_reason="length", num_tokens=3),
        Row(text="two", finish_reason="stop", num_tokens=2),
    )
    outcome = Outcome(status=JobStatus.SUCCEEDED, rows=rows, num_tokens=5)

    assert store.finish(WORKER, "a", 1, outcome)

    job = store.get("a")
    assert (job.status, job.rows, job.num_tokens, job.error) == (JobStatus.SUCCEEDED, rows, 5, None)
    assert job.completed_at is not None
    assert job.expires_at == pytest.approx(job.completed_at + 60)


def test_a_failed_job_keeps_its_error_and_its_text_so_far(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    step(store, taken, text_piece("so far"))
    rows = (Row(text="so far", finish_reason="canceled", num_tokens=2),)
    error = JobError(code="deadline_exceeded", detail="Too late.")
    store.finish(WORKER, "a", 1, Outcome(status=JobStatus.FAILED, rows=rows, error=error, num_tokens=2))
    job = store.get("a")
    assert (job.status, job.error, job.rows) == (JobStatus.FAILED, error, rows)


def test_jobs_that_end_together_are_finished_in_one_round_trip(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job_id in ("a", "b", "c"):
        submit(store, job_id)
        claim(store)
    assert not store.finish(WORKER, "unknown", 1, succeeded())  # Now the server knows the script.
    alone: list[str] = []
    evalsha = store.client.evalsha
    monkeypatch.setattr(store.client, "evalsha", lambda *args: alone.append(args[0]) or evalsha(*args))

    accepted = store.finish_all(WORKER, [ending(job_id) for job_id in ("a", "b", "lost", "c")])

    assert accepted == [True, True, False, True]
    assert alone == []
    assert {store.get(job_id).status for job_id in ("a", "b", "c")} == {JobStatus.SUCCEEDED}


def test_only_a_job_that_ended_expires(store: JobStore) -> None:
    def lifetime_ms() -> int:
        return int(store.client.pttl(f"{store.namespace}:job:a"))

    submit(store, "a", ttl_seconds=60)
    assert lifetime_ms() == -1
    taken = claim(store)
    step(store, taken)
    assert lifetime_ms() == -1
    finish(store, taken)
    assert 0 < lifetime_ms() <= 60_000


def test_a_job_is_gone_for_a_day_after_its_retention(store: JobStore) -> None:
    submit(store, "a", ttl_seconds=60, owner="o")
    finish(store, claim(store))
    let_pass(store, 61)
    for ask in (store.get, store.cancel):
        with pytest.raises(JobGone):
            ask("a", owner="o")
        with pytest.raises(JobNotFound):
            ask("a", owner="somebody else")
    let_pass(store, 24 * 3600)
    with pytest.raises(JobNotFound):
        store.get("a", owner="o")


def test_the_same_finish_again_is_true_and_changes_nothing(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    assert finish(store, taken, "text")
    job, stream = store.get("a"), events(store, "a")
    assert finish(store, taken, "text")
    assert (store.get("a"), events(store, "a")) == (job, stream)
    assert store.stats().num_stale_finishes == 0


def test_a_worker_that_lost_its_job_cannot_finish_it(store: JobStore) -> None:
    submit(store, "a")
    old = claim(store)
    let_pass(store, 11)
    store.reap()
    assert not finish(store, old, "stale, while it waits")
    new = claim(store, "worker-2")
    assert not finish(store, old, "stale, while another has it")
    assert finish(store, new, "fresh", worker="worker-2")
    assert not finish(store, old, "stale, after its end")
    assert store.get("a").rows[0].text == "fresh"
    assert store.stats().num_stale_finishes == 3


def test_a_worker_cannot_change_its_mind(store: JobStore) -> None:
    submit(store, "a")
    taken = claim(store)
    finish(store, taken)
    assert not store.finish(WORKER, "a", 1, Outcome(status=JobStatus.CANCELED))
    assert store.get("a").status == JobStatus.SUCCEEDED


def test_the_stream_holds_the_whole_result_even_when_the_last_step_was_lost(store: JobStore) -> None:
    submit(store, "a", num_rows=2)
    taken = claim(store)
    step(store, taken, text_piece("ein 😀 Bä"))
    finish(store, taken, "ein 😀 Bär\0 läuft", "zwei")
    assert streamed_text(store, "a", 1) == "ein 😀 Bär\0 läuft"
    assert streamed_text(store, "a", 1, row=1) == "zwei"
    assert [event["event"] for event in events(store, "a")] == ["started", "token", "token", "token", "done"]


def test_a_job_that_finishes_within_one_step_has_started(store: JobStore) -> None:
    submit(store, "a")
    finish(store, claim(store), "quick")
    assert store.get("a").started_at is not None
    assert [event["event"] for event in events(store, "a")] == ["started", "token", "done"]


def test_the_end_tells_when_a_quick_job_started_unless_a_step_did(store: JobStore) -> None:
    for id in ("told", "untold"):
        submit(store, id)
    let_pass(store, 10)
    step(store, claim(store), num_tokens=1)
    claim(store)
    before = store.get("told")

    outcome = replace(succeeded("quick"), ages=Ages(started_ms=700, first_token_ms=300))
    for id in ("told", "untold"):
        assert store.finish(WORKER, id, 1, outcome)

    told, untold = store.get("told"), store.get("untold")
    assert (told.started_at, told.first_token_at) == (before.started_at, before.first_token_at)
    assert untold.started_at is not None
    assert untold.first_token_at is not None
    assert untold.completed_at is not None
    assert untold.completed_at - untold.started_at == pytest.approx(0.7)
    assert untold.completed_at - untold.first_token_at == pytest.approx(0.3)


def test_the_stream_lives_five_minutes_after_the_end(store: JobStore) -> None:
    submit(store, "a")
    finish(store, claim(store))
    let_pass(store, 290)
    assert events(store, "a")
    let_pass(store, 15)
    assert not events(store, "a")
    assert store.get("a").rows


def test_no_text_outlives_a_job_with_a_short_retention(store: JobStore) -> None:
    submit(store, "a", ttl_seconds=10)
    finish(store, claim(store))
    let_pass(store, 11)
    assert not events(store, "a")


def test_a_released_job_returns_to_its_place_without_a_loss(store: JobStore) -> None:
    for id in ("a", "b", "c"):
        submit(store, id)
    taken = claim(store)
    step(store, taken, text_piece("half"), num_tokens=1)

    assert store.release(WORKER, "a", 1)
    assert store.release(WORKER, "a", 1)

    job = store.get("a")
    assert (job.status, job.position, job.losses, job.attempt) == (JobStatus.QUEUED, 1, 0, 1)
    assert (job.started_at, job.first_token_at, job.num_tokens) == (None, None, 0)
    assert claimed_ids(store) == ["a", "b", "c"]
    assert not store.release(WORKER, "a", 1)


def test_jobs_released_by_several_workers_keep_their_order_before_later_ones(store: JobStore) -> None:
    ids = [submit(store, f"a{i}", owner="o").id for i in range(4)]
    taken = [claim(store, f"w{i}") for i in range(3)]
    ids.append(submit(store, "later", owner="o").id)
    for i in (1, 0, 2):
        assert store.release(f"w{i}", taken[i].job.id, 1)
    assert claimed_ids(store) == ids


def test_the_next_attempt_begins_with_an_empty_text(store: JobStore) -> None:
    submit(store, "a")
    step(store, claim(store), text_piece("first try"))
    store.release(WORKER, "a", 1)
    again = claim(store)
    assert step(store, again, text_piece("second")).stored == (6,)
    assert finish(store, again, "second try")
    assert streamed_text(store, "a", 2) == "second try"


def test_the_end_of_a_job_is_published_with_its_record(store: JobStore) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(f"{store.namespace}:ended")
        submit(store, "canceled")
        submit(store, "finished")
        store.cancel("canceled")
        store.finish(WORKER, "finished", claim(store).attempt, succeeded("x"))
        messages: list[str] = []
        while len(messages) < 2:
            message = pubsub.get_message(timeout=5)
            if message is not None:
                messages.append(message["data"])
    ids, records = zip(*(message.split(" ", 1) for message in messages), strict=True)
    assert ids == ("canceled", "finished")
    assert [decode_job(json.loads(record)) for record in records] == [store.get(id) for id in ids]


def test_a_large_record_is_not_published(store: JobStore) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(f"{store.namespace}:ended")
        submit(store, "large", text="x" * 20_000)
        store.cancel("large")
        message = None
        while message is None:
            message = pubsub.get_message(timeout=5)
    assert message["data"] == "large "
