from __future__ import annotations

import time

import pytest

from tasks.jobs.models import JobStatus
from tasks.jobs.store import JobStore
from tasks.worker.held import Ending
from tasks.worker.writer import HEARTBEAT_SECONDS
from tests.factories import FINGERPRINT, make_parameters
from tests.unit.worker.harness import WORKER, Worker
from tests.waiting import wait_until


def start(worker: Worker, job_id: str = "j", **changes: object) -> None:
    """Submit a job and have it in the engine, which stands still."""
    worker.submit(job_id, **changes)
    worker.ring()
    wait_until(lambda: (held := worker.held(job_id)) and held.generations, "the job is in the engine")


def generate(worker: Worker, job_id: str, num_tokens: int) -> None:
    """Let the engine write until the job has so many tokens."""
    held = worker.held(job_id)
    assert held is not None
    worker.steps.allow(num_tokens - held.num_tokens)
    wait_until(lambda: held.num_tokens == num_tokens, f"{num_tokens} tokens")


def finish(worker: Worker, job_id: str = "j") -> None:
    worker.steps.allow_all()
    held = worker.held(job_id)
    assert held is not None
    wait_until(lambda: held.over, "the engine is done")


def streamed(worker: Worker, job_id: str = "j", row: int = 0) -> str:
    """The text that a reader of the job's stream has seen."""
    events = worker.store.client.xrange(f"neoserve:events:{job_id}")
    return "".join(
        fields["text"] for _, fields in events if fields["event"] == "token" and int(fields["index"]) == row
    )


def test_text_and_result_reach_the_record(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 5)
    worker.writer.exchange()
    running = worker.store.get("j")
    assert (running.status, running.num_tokens, len(streamed(worker))) == (JobStatus.RUNNING, 5, 5)
    finish(worker)
    worker.writer.exchange()
    job = worker.store.get("j")
    assert job.status is JobStatus.SUCCEEDED
    assert (job.num_tokens, job.rows[0].num_tokens, job.rows[0].finish_reason) == (20, 20, "length")
    assert streamed(worker) == job.rows[0].text


def test_a_job_is_running_only_when_it_is_in_the_engine(worker: Worker) -> None:
    worker.submit("j")
    held = worker.writer.hold(worker.store.claim_next(WORKER, FINGERPRINT, "n") or pytest.fail("no claim"))
    worker.writer.exchange()
    assert worker.store.get("j").status is JobStatus.QUEUED
    held.end(Ending.HANDED_BACK)


def test_every_row_is_drawn_with_its_own_seed_and_streamed_apart(worker: Worker) -> None:
    start(worker, num_rows=3)
    assert [each.request.sampling.seed for each in worker.held("j").generations] == [7, 8, 9]  # type: ignore[union-attr]
    finish(worker)
    worker.writer.exchange()
    rows = worker.store.get("j").rows
    assert len({row.text for row in rows}) == 3
    assert [streamed(worker, row=number) for number in range(3)] == [row.text for row in rows]


def test_a_lost_reply_neither_doubles_nor_drops_text(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 3)
    worker.faulty.replies_to_lose.append("step")
    assert not worker.writer.exchange()
    generate(worker, "j", 6)
    worker.writer.exchange()  # Sends from 0 again: skipped, and the answer tells where to go on.
    assert len(streamed(worker)) == 3
    worker.writer.exchange()
    assert len(streamed(worker)) == 6
    finish(worker)
    worker.writer.exchange()
    assert streamed(worker) == worker.store.get("j").rows[0].text


def test_a_result_whose_confirmation_got_lost_is_recorded_once(worker: Worker) -> None:
    start(worker)
    finish(worker)
    worker.faulty.replies_to_lose.append("finish")
    assert not worker.writer.exchange()
    assert worker.store.get("j").status is JobStatus.SUCCEEDED
    assert worker.writer.exchange()
    assert worker.held("j") is None
    assert worker.count("neoserve_worker_jobs_total", outcome="succeeded", code="") == 1
    assert worker.count("neoserve_worker_jobs_total", outcome="lost", code="") == 0
    assert worker.store.stats().num_stale_finishes == 0


def test_an_outage_keeps_texts_and_results_until_the_record_answers(worker: Worker) -> None:
    start(worker)
    worker.faulty.away = True
    finish(worker)
    assert not any(worker.writer.exchange() for _ in range(3))
    assert worker.held("j") is not None
    worker.faulty.away = False
    worker.writer.exchange()
    assert worker.store.get("j").status is JobStatus.SUCCEEDED
    assert worker.count("neoserve_worker_store_failures_total") == 3


def test_the_worker_is_registered_at_first_and_after_every_outage(worker: Worker) -> None:
    assert not worker.writer.wait_announced(0)
    worker.writer.exchange()
    worker.writer.exchange()
    assert worker.writer.wait_announced(0)
    assert worker.num_announced == 1
    worker.faulty.requests_to_lose.append("step")
    worker.writer.exchange()
    worker.writer.exchange()
    assert worker.num_announced == 2


def test_the_worker_registers_again_when_the_server_has_lost_its_data(worker: Worker) -> None:
    worker.writer.exchange()
    worker.store.client.flushall()
    worker.writer.exchange()
    worker.writer.exchange()
    worker.writer.exchange()
    assert worker.num_announced == 2
    assert worker.store.model().num_live_workers == 1


def test_a_cancel_stops_the_generation_and_keeps_the_text_so_far(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 5)
    worker.store.cancel("j")
    worker.writer.exchange()
    finish(worker)
    worker.writer.exchange()
    job = worker.store.get("j")
    assert (job.status, job.error) == (JobStatus.CANCELED, None)
    assert job.rows[0].finish_reason == "canceled"
    assert 5 <= job.num_tokens < 20
    assert streamed(worker) == job.rows[0].text


def test_a_text_that_was_complete_before_the_cancel_was_heard_stays(worker: Worker) -> None:
    start(worker)
    finish(worker)
    worker.store.cancel("j")
    worker.writer.exchange()
    assert worker.store.get("j").status is JobStatus.SUCCEEDED


def test_past_its_deadline_a_running_job_fails_with_the_text_so_far(worker: Worker) -> None:
    start(worker, deadline_seconds=0.5)
    generate(worker, "j", 5)
    held = worker.held("j")
    assert held is not None
    worker.writer.exchange()
    wait_until(lambda: worker.writer.exchange() and held.ending is Ending.DEADLINE, "the deadline passes")
    finish(worker)
    worker.writer.exchange()
    job = worker.store.get("j")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == "deadline_exceeded"
    assert (job.rows[0].finish_reason, len(job.rows[0].text)) == ("deadline_exceeded", job.num_tokens)


def test_past_its_deadline_a_job_that_never_started_expires(worker: Worker) -> None:
    worker.submit("j", deadline_seconds=0.1)
    held = worker.writer.hold(worker.store.claim_next(WORKER, FINGERPRINT, "n") or pytest.fail("no claim"))
    wait_until(lambda: worker.writer.exchange() and held.settled.is_set(), "the deadline passes")
    assert worker.store.get("j").status is JobStatus.EXPIRED


def test_a_lost_job_is_dropped_without_a_word(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 2)
    worker.store.release(WORKER, "j", 1)  # As the reaper does when the lease is over.
    other = worker.store.claim_next("worker-2", FINGERPRINT, "n")
    assert other is not None
    held = worker.held("j")
    assert held is not None
    worker.writer.exchange()
    assert held.settled.is_set()
    assert all(each.cancel_requested for each in held.generations)
    assert worker.count("neoserve_worker_jobs_total", outcome="lost", code="") == 1
    job = worker.store.get("j")
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 2)
    assert streamed(worker) == ""


def test_a_result_that_comes_too_late_is_refused_and_counted(worker: Worker) -> None:
    start(worker)
    finish(worker)
    worker.store.release(WORKER, "j", 1)
    worker.store.claim_next("worker-2", FINGERPRINT, "n")
    worker.writer.exchange()
    assert worker.held("j") is None
    assert worker.count("neoserve_worker_jobs_total", outcome="lost", code="") == 1
    assert worker.store.get("j").status is JobStatus.QUEUED


def test_a_job_handed_back_waits_again_and_has_no_loss(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 2)
    worker.writer.hand_back()
    worker.faulty.replies_to_lose.append("release")
    worker.writer.exchange()
    worker.writer.exchange()
    assert worker.held("j") is None
    job = worker.store.get("j")
    assert (job.status, job.position, job.losses) == (JobStatus.QUEUED, 1, 0)
    assert worker.count("neoserve_worker_jobs_total", outcome="handed_back", code="") == 1


def test_a_row_that_failed_fails_its_job_alone(store: JobStore) -> None:
    worker = Worker(store, row_errors={(ord("b"), 2): ValueError("secret prompt")})
    try:
        start(worker, "bad", text="bad")
        start(worker, "good", text="good")
        finish(worker, "bad")
        finish(worker, "good")
        worker.writer.exchange()
        bad = worker.store.get("bad")
        assert bad.status is JobStatus.FAILED
        assert bad.error is not None
        assert bad.error.code == "generation_failed"
        assert "secret" not in bad.error.detail
        assert bad.rows[0].finish_reason == "failed"
        assert bad.rows[0].text == streamed(worker, "bad")
        assert len(bad.rows[0].text) == bad.num_tokens == 2
        assert worker.store.get("good").status is JobStatus.SUCCEEDED
    finally:
        worker.close()


def test_an_end_is_recorded_without_waiting_for_the_next_exchange(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.worker.writer.HEARTBEAT_SECONDS", 3600.0)
    start(worker)
    worker.writer.start()
    wait_until(lambda: worker.faulty.steps, "the first exchange, after which the next one is an hour away")
    finish(worker)
    wait_until(lambda: worker.held("j") is None, "the end is recorded")
    job = worker.store.get("j")
    assert job.status is JobStatus.SUCCEEDED
    assert streamed(worker) == job.rows[0].text
    assert len(worker.faulty.steps) == 1
    worker.writer.stop()


def test_what_ends_in_one_step_of_the_engine_is_recorded_in_one_call(worker: Worker) -> None:
    for job_id in ("a", "b", "c"):
        start(worker, job_id)
    for job_id in ("a", "b", "c"):
        finish(worker, job_id)
    worker.writer.exchange_due()
    assert [sorted(jobs) for jobs in worker.faulty.finishes] == [["a", "b", "c"]]
    assert {worker.store.get(job_id).status for job_id in ("a", "b", "c")} == {JobStatus.SUCCEEDED}
    assert worker.faulty.steps == []


def test_an_end_that_cannot_be_recorded_is_recorded_by_the_next_exchange(worker: Worker) -> None:
    worker.writer.exchange()
    start(worker)
    finish(worker)
    worker.faulty.requests_to_lose.append("finish")
    assert not worker.writer.exchange_due()
    assert worker.writer.exchange()
    assert worker.store.get("j").status is JobStatus.SUCCEEDED


def test_without_news_it_reports_at_the_pace_of_the_heartbeat(worker: Worker) -> None:
    worker.writer.start()
    wait_until(lambda: len(worker.faulty.steps) > 1, "it reports")
    count, started = len(worker.faulty.steps), time.monotonic()
    wait_until(lambda: len(worker.faulty.steps) >= count + 2, "it goes on reporting")
    assert time.monotonic() - started > HEARTBEAT_SECONDS * 0.8
    worker.writer.stop()


def test_however_much_news_there_is_a_job_that_nobody_reads_is_told_of_with_the_heartbeat(
    worker: Worker,
) -> None:
    worker.steps.allow_all()
    worker.writer.start()
    started = time.monotonic()
    for number in range(8):
        worker.submit(f"j{number}", parameters=make_parameters(max_new_tokens=500))
        worker.ring()
    wait_until(
        lambda: worker.count("neoserve_worker_jobs_total", outcome="succeeded", code="") == 8, "all done"
    )
    worker.writer.stop()
    assert len(worker.faulty.steps) <= (time.monotonic() - started) / HEARTBEAT_SECONDS + 1
    assert streamed(worker, "j7") == worker.store.get("j7").rows[0].text


def test_a_reader_gets_the_first_token_at_once_and_more_of_the_text_before_the_heartbeat(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.worker.writer.HEARTBEAT_SECONDS", 3600.0)
    start(worker, "read", followed=True)
    start(worker, "unread")
    worker.writer.start()
    wait_until(lambda: worker.faulty.steps, "the first exchange, after which the next one is an hour away")
    generate(worker, "read", 1)
    wait_until(lambda: len(streamed(worker, "read")) == 1, "the first token")
    generate(worker, "read", 7)
    wait_until(lambda: len(streamed(worker, "read")) == 7, "the next ones")
    assert streamed(worker, "unread") == ""
    assert {entry.job_id for step in worker.faulty.steps[1:] for entry in step} == {"read"}
    worker.writer.stop()


def test_a_reader_who_comes_while_the_job_runs_is_heard_of_with_the_heartbeat(worker: Worker) -> None:
    start(worker)
    generate(worker, "j", 2)
    worker.writer.exchange()
    worker.store.follow("j")
    worker.writer.exchange_due()
    assert len(worker.faulty.steps) == 1
    worker.writer.exchange()
    generate(worker, "j", 5)
    held = worker.held("j")
    assert held is not None
    wait_until(lambda: held.due_at <= time.monotonic(), "it is due")
    worker.writer.exchange_due()
    assert len(streamed(worker)) == 5


def test_a_reader_is_told_nothing_twice_after_a_lost_reply(worker: Worker) -> None:
    start(worker, followed=True)
    generate(worker, "j", 1)
    worker.faulty.replies_to_lose.append("step")
    assert not worker.writer.exchange_due()
    assert worker.writer.exchange_due(), "it is due still: nobody has confirmed it"
    assert len(streamed(worker)) == 1
