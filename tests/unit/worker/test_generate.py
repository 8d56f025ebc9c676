from __future__ import annotations

import logging
import threading
import time

import pytest

from tasks.engine.errors import InvalidRequest
from tasks.engine.generation import Generation
from tasks.engine.types import GenerationRequest
from tasks.jobs.models import JobStatus
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_parameters
from tests.unit.worker.harness import Worker
from tests.waiting import wait_until


@pytest.fixture
def running(worker: Worker) -> Worker:
    """A worker whose writer runs and whose model does not wait."""
    worker.steps.allow_all()
    worker.writer.start()
    return worker


def run(worker: Worker) -> None:
    thread = worker.ring()
    thread.join(10)
    assert not thread.is_alive()


def code_of(worker: Worker, job_id: str) -> str:
    job = worker.store.get(job_id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    return job.error.code


def test_a_ring_runs_the_job_whose_turn_it_is(running: Worker) -> None:
    running.submit("first")
    running.submit("second")
    run(running)
    assert running.store.get("first").status is JobStatus.SUCCEEDED
    assert running.store.get("second").status is JobStatus.QUEUED


def test_a_ring_without_work_is_harmless(running: Worker) -> None:
    run(running)
    assert running.count("neoserve_worker_claims_total", result="empty") == 1


def test_the_parameters_of_the_job_reach_the_engine(running: Worker) -> None:
    running.submit(
        "j",
        parameters=make_parameters(
            max_new_tokens=3,
            do_sample=True,
            temperature=0.5,
            top_k=7,
            top_p=0.8,
            repetition_penalty=1.3,
            stop=("x",),
        ),
    )
    submitted = []
    submit = running.jobs._submit
    running.jobs._submit = lambda request: submitted.append(request) or submit(request)  # type: ignore[func-returns-value]
    run(running)
    (request,) = submitted
    assert (request.prompt_ids, request.max_new_tokens, request.stop) == (
        tuple(b"Once upon a time"),
        3,
        ("x",),
    )
    sampling = request.sampling
    assert (sampling.do_sample, sampling.temperature, sampling.top_k) == (True, 0.5, 7)
    assert (sampling.top_p, sampling.repetition_penalty, sampling.seed) == (0.8, 1.3, 7)


@pytest.mark.parametrize(
    ("prompt_ids", "code"),
    [(tuple(range(2040)), "request_too_long"), ((), "invalid_request")],
)
def test_a_job_that_does_not_fit_the_model_fails_with_a_code(
    running: Worker, prompt_ids: tuple[int, ...], code: str
) -> None:
    running.encode = lambda text: prompt_ids
    running.submit("j")
    run(running)
    assert code_of(running, "j") == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (SystemExit(1), "internal_error"),
        (RuntimeError("with a secret prompt"), "internal_error"),
    ],
)
def test_whatever_is_raised_in_the_task_ends_the_job_and_frees_the_slot(
    running: Worker, error: BaseException, code: str
) -> None:
    def fail(text: str) -> tuple[int, ...]:
        raise error

    running.encode = fail
    running.submit("j")
    run(running)
    assert code_of(running, "j") == code
    assert "secret" not in str(running.store.get("j").error)
    assert running.gate.wait_empty(0)


def test_where_one_row_of_a_job_is_refused_the_engine_goes_on_with_none(worker: Worker) -> None:
    submit, submitted = worker.jobs._submit, []

    def refuse_the_third(request: GenerationRequest) -> Generation:
        if len(submitted) == 2:
            raise InvalidRequest("not this one")
        submitted.append(submit(request))
        return submitted[-1]

    worker.jobs._submit = refuse_the_third
    worker.submit("j", num_rows=4)
    worker.writer.start()
    run(worker)
    assert code_of(worker, "j") == "invalid_request"
    worker.steps.allow(1)
    wait_until(lambda: all(each.done for each in submitted), "no row is left in the engine")
    assert [each.finish_reason for each in submitted] == ["canceled"] * 2


def test_a_model_that_runs_out_of_memory_fails_its_jobs_and_goes_on(store: JobStore) -> None:
    worker = Worker(store, step_errors={0: MemoryError()})
    worker.steps.allow_all()
    worker.writer.start()
    try:
        worker.submit("first")
        worker.submit("second")
        run(worker)
        run(worker)
        assert code_of(worker, "first") == "out_of_memory"
        assert worker.store.get("second").status is JobStatus.SUCCEEDED
    finally:
        worker.close()


def test_a_claim_whose_answer_got_lost_is_asked_for_again(
    running: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.worker.generate.RETRY_SECONDS", 0.01)
    running.submit("j")
    running.submit("other")
    running.faulty.replies_to_lose.append("claim_next")
    run(running)
    assert (running.store.get("j").status, running.store.get("j").attempt) == (JobStatus.SUCCEEDED, 1)
    assert running.store.get("other").attempt == 0


def test_a_worker_that_shuts_down_claims_nothing_and_passes_the_ring_on(running: Worker) -> None:
    running.submit("j")
    running.gate.close()
    run(running)
    assert running.store.get("j").attempt == 0
    assert running.passed_on == ["rung"]


def test_a_claim_that_gets_no_answer_ends_with_the_worker(running: Worker) -> None:
    running.faulty.away = True
    thread = running.ring()
    wait_until(
        lambda: running.count("neoserve_worker_claims_total", result="unavailable") > 0, "the claim failed"
    )
    running.gate.close()
    thread.join(5)
    assert not thread.is_alive()


def lose(store: JobStore, job_id: str, times: int) -> None:
    """Claim a job and let the worker die, so many times."""
    for number in range(times):
        claim = store.claim_next("dead", FINGERPRINT, f"{job_id}-{number}", lease_seconds=0.001)
        assert claim is not None
        assert claim.job.id == job_id
        wait_until(lambda: store.reap().requeued, "the lease runs out")


def test_a_job_that_took_down_two_workers_runs_alone(worker: Worker) -> None:
    worker.submit("suspect")
    lose(worker.store, "suspect", 2)
    worker.store.cancel("suspect")  # Out of the way: another job has to be running first.
    worker.submit("neighbor")
    worker.ring()
    wait_until(lambda: worker.held("neighbor") and worker.held("neighbor").started, "the neighbor runs")  # type: ignore[union-attr]
    worker.submit("again")
    lose(worker.store, "again", 2)
    worker.submit("later")
    worker.writer.start()
    worker.ring()
    wait_until(lambda: worker.held("again"), "the suspect is claimed")
    worker.ring()
    assert not worker.held("again").generations  # type: ignore[union-attr]
    worker.steps.allow(20 - worker.held("neighbor").num_tokens)  # type: ignore[union-attr]
    wait_until(lambda: worker.store.get("neighbor").status is JobStatus.SUCCEEDED, "the neighbor is done")
    wait_until(lambda: worker.held("again").generations, "the suspect runs")  # type: ignore[union-attr]
    assert [held.job.id for held in worker.writer.held] == ["again"]
    worker.steps.allow_all()
    wait_until(lambda: worker.store.get("later").status is JobStatus.SUCCEEDED, "the gate opens again")
    assert worker.store.get("again").completed_at <= worker.store.get("later").started_at  # type: ignore[operator]


def test_a_suspect_is_not_looked_at_before_the_record_says_that_it_runs(worker: Worker) -> None:
    worker.submit("suspect")
    lose(worker.store, "suspect", 2)
    worker.faulty.replies_to_lose.append("step")
    seen: list[JobStatus] = []
    encode = worker.encode

    def look(text: str) -> tuple[int, ...]:
        seen.append(worker.store.get("suspect").status)
        return encode(text)

    worker.encode = look
    worker.writer.start()
    worker.ring()
    worker.steps.allow_all()
    wait_until(lambda: worker.store.get("suspect").status is JobStatus.SUCCEEDED, "it runs after all")
    assert seen == [JobStatus.RUNNING]


def test_a_suspect_that_waits_for_the_record_can_be_handed_back(worker: Worker) -> None:
    worker.submit("suspect")
    lose(worker.store, "suspect", 2)
    thread = worker.ring()
    wait_until(lambda: worker.held("suspect") and worker.held("suspect").started, "it is about to run")  # type: ignore[union-attr]
    worker.writer.hand_back()
    worker.writer.exchange()
    thread.join(5)
    job = worker.store.get("suspect")
    assert (job.status, job.losses) == (JobStatus.QUEUED, 2)


def test_a_suspect_that_is_canceled_while_it_waits_lets_the_others_in_again(worker: Worker) -> None:
    worker.submit("suspect")
    lose(worker.store, "suspect", 2)
    worker.submit("neighbor", priority="high")
    worker.ring()
    wait_until(lambda: worker.held("neighbor"), "the neighbor is claimed")
    worker.writer.start()
    waiting = worker.ring()
    wait_until(lambda: worker.held("suspect"), "the suspect is claimed")
    worker.store.cancel("suspect")
    waiting.join(5)
    assert worker.store.get("suspect").status is JobStatus.CANCELED
    assert worker.gate.enter()
    worker.gate.leave()


def test_the_log_has_one_line_per_job_and_no_prompt(
    running: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    running.submit("j", text="a secret prompt")
    run(running)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "tasks.worker.report"]
    assert line.startswith("job_id=j attempt=1 request_id=- outcome=succeeded code=- tokens=20 seconds=")
    assert "secret" not in caplog.text


def test_what_a_job_took_is_counted_in_redis(running: Worker) -> None:
    running.submit("j")
    run(running)
    counters = running.store.counters()
    assert counters.count("generated_tokens") == 20
    for series in (("queue_wait", "normal"), ("first_token",), ("token",), ("latency", "async")):
        assert sum(counters.distribution(*series).buckets.values()) == 1


def test_the_last_claim_is_known(running: Worker) -> None:
    run(running)
    assert running.count("neoserve_worker_last_claim_timestamp_seconds") == 0
    running.submit("j")
    run(running)
    assert running.count("neoserve_worker_last_claim_timestamp_seconds") == pytest.approx(time.time(), abs=60)


def test_no_thread_is_left_inside_when_jobs_come_and_go(running: Worker) -> None:
    for number in range(30):
        running.submit(f"j{number}")
    threads: list[threading.Thread] = [running.ring() for _ in range(40)]
    for thread in threads:
        thread.join(20)
    assert running.gate.wait_empty(0)
    assert all(running.store.get(f"j{number}").status is JobStatus.SUCCEEDED for number in range(30))
