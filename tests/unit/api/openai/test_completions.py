"""Completions as whole answers, and the jobs behind them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.openai import blocking
from api.service import EXTENSION, Service
from api.settings import ApiSettings
from tasks.jobs.models import Job, JobStatus, Mode, Priority, Row
from tasks.jobs.protocol import Outcome
from tasks.jobs.store import JobStore
from tests.job_steps import claim
from tests.unit.api.fakes import MODEL, FakeWorker, LocalListener, cancel, fail
from tests.waiting import wait_until

BODY = {"model": MODEL, "prompt": "Once upon a time"}


def post(client: FlaskClient, key: str | None = None, **changes: Any) -> TestResponse:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/completions", json={**BODY, **changes}, headers=headers)


def post_aside(
    client: FlaskClient, key: str | None = None, **changes: Any
) -> tuple[threading.Thread, list[TestResponse]]:
    """In a thread, since the call waits."""
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(post(client, key, **changes)))
    thread.start()
    return thread, answers


def two_rows(job: Job) -> Outcome:
    rows = (
        Row(text=f" {job.text}0", finish_reason="stop", num_tokens=2),
        Row(text=f" {job.text}1", finish_reason="eos", num_tokens=3),
    )
    return Outcome(status=JobStatus.SUCCEEDED, rows=rows, num_tokens=5)


def test_a_completion_has_the_shape_of_openai_s(
    client: FlaskClient, worker: FakeWorker, store: JobStore
) -> None:
    worker.serve()
    answer = post(client)
    body = answer.get_json()
    job = store.get(body["id"])
    assert answer.status_code == 200
    assert body == {
        "id": job.id,
        "object": "text_completion",
        "created": int(job.created_at),
        "model": MODEL,
        "system_fingerprint": job.fingerprint,
        "choices": [{"text": f" [{job.id}]", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": {
            "prompt_tokens": job.num_prompt_tokens,
            "completion_tokens": 16,
            "total_tokens": job.num_prompt_tokens + 16,
        },
    }


def test_its_id_finds_the_job(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()
    answer = post(client, user="ann")
    job = client.get(f"/jobs/{answer.get_json()['id']}").get_json()
    assert job["status"] == "succeeded"
    assert job["metadata"] == {"user": "ann"}
    assert answer.headers["Location"] == f"/jobs/{job['id']}"


def test_choices_of_a_list_come_prompt_by_prompt(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve(two_rows)
    body = post(client, prompt=["a", "b"], n=2, echo=True).get_json()
    assert [(each["index"], each["text"], each["finish_reason"]) for each in body["choices"]] == [
        (0, "a a0", "stop"),
        (1, "a a1", "stop"),
        (2, "b b0", "stop"),
        (3, "b b1", "stop"),
    ]
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 10, "total_tokens": 12}


def test_the_id_of_a_list_finds_its_batch(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()
    answer = post(client, prompt=["a", "b", "c"])
    batch = client.get(answer.headers["Location"]).get_json()
    assert batch["id"] == answer.get_json()["id"]
    assert batch["counts"]["succeeded"] == 3


def test_a_list_with_one_wrong_prompt_records_nothing(client: FlaskClient, store: JobStore) -> None:
    answer = post(client, prompt=["a", "long " * 300, "c"])
    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] == "prompt.1"
    assert store.num_queued() == 0
    assert client.get("/batches").get_json()["batches"] == []


def test_a_list_whose_item_fails_is_an_error_and_stays_in_its_batch(
    client: FlaskClient, worker: FakeWorker
) -> None:
    worker.serve(lambda job: fail("out_of_memory")(job) if job.text == "b" else two_rows(job))
    answer = post(client, prompt=["a", "b"])
    assert answer.status_code == 500
    assert answer.get_json()["error"]["code"] == "out_of_memory"
    (batch,) = client.get("/batches").get_json()["batches"]
    assert (batch["counts"]["succeeded"], batch["counts"]["failed"]) == (1, 1)


def test_a_completion_is_a_job_like_others(client: FlaskClient, worker: FakeWorker, store: JobStore) -> None:
    thread, _ = post_aside(client, priority="high", deadline_s=60)
    wait_until(lambda: store.num_queued() == 1, "the job waits")
    taken = worker.claim()
    assert taken.job.priority is Priority.HIGH
    assert taken.job.deadline_at is not None
    assert store.counters().count("submitted", Mode.SYNC, "high") == 1
    worker.start(taken)
    worker.finish(taken)
    thread.join()


@pytest.mark.parametrize(
    ("outcome", "status", "code", "retries"),
    [
        (fail("engine_error"), 500, "engine_error", False),
        (fail("worker_lost"), 503, "worker_lost", True),
        (fail("deadline_exceeded"), 504, "deadline_exceeded", False),
        (cancel, 409, "canceled", False),
    ],
)
def test_a_job_without_a_result_is_an_error_that_is_sent_again_only_where_it_helps(
    client: FlaskClient, worker: FakeWorker, outcome: Any, status: int, code: str, retries: bool
) -> None:
    worker.serve(outcome)
    answer = post(client)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
    assert answer.headers.get("X-Should-Retry") == (None if retries else "false")


def test_the_same_idempotency_key_finds_the_same_job(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()
    first, second = post(client, "k"), post(client, "k")
    assert first.get_json() == second.get_json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert post(client, "k", max_tokens=3).get_json()["error"]["code"] == "idempotency_key_reused"


def test_the_same_idempotency_key_finds_the_same_list(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()
    first, second = post(client, "k", prompt=["a", "b"]), post(client, "k", prompt=["a", "b"])
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotent-Replayed"] == "true"


PROMPTS: list[Any] = ["a", ["a", "b"]]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_without_a_key_a_call_that_has_waited_too_long_leaves_nothing_running(
    client: FlaskClient, store: JobStore, monkeypatch: pytest.MonkeyPatch, prompt: Any
) -> None:
    monkeypatch.setattr(blocking, "WAIT_SECONDS", 0.01)
    answer = post(client, prompt=prompt)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (504, "wait_over")
    assert answer.headers["X-Should-Retry"] == "false"
    assert {job.status for job in store.list_jobs().jobs} == {JobStatus.CANCELED}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_with_a_key_it_is_told_to_come_back_and_finds_its_job(
    client: FlaskClient, store: JobStore, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, prompt: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(blocking, "WAIT_SECONDS", 0.01)
        answer = post(client, "k", prompt=prompt)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "X-Should-Retry" not in answer.headers
    before = store.num_queued()
    worker.serve()
    assert post(client, "k", prompt=prompt).status_code == 200
    assert len(store.list_jobs().jobs) == before


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_drain_sends_away_who_waits(
    app: Flask, store: JobStore, listener: LocalListener, prompt: Any, key: str | None
) -> None:
    service: Service = app.extensions[EXTENSION]
    thread, answers = post_aside(app.test_client(), key, prompt=prompt)
    wait_until(lambda: listener.num_waiters == 1, "the call waits")
    service.drain()
    thread.join()
    (answer,) = answers
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "draining")
    assert answer.headers["Retry-After"] == "1"
    expected = JobStatus.CANCELED if key is None else JobStatus.QUEUED
    assert {job.status for job in store.list_jobs().jobs} == {expected}


def test_a_server_that_drains_takes_no_new_completion(app: Flask, store: JobStore) -> None:
    app.extensions[EXTENSION].drain()
    assert post(app.test_client()).status_code == 503
    assert store.list_jobs().jobs == ()


class TestWhereNobodyMayWait:
    @pytest.fixture
    def settings(self) -> ApiSettings:
        return ApiSettings(max_waiters=0, sync_wait_seconds=0)

    @pytest.mark.parametrize("stream", [False, True])
    def test_nothing_is_left_behind(self, client: FlaskClient, store: JobStore, stream: bool) -> None:
        answer = post(client, stream=stream)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "busy")
        assert store.num_queued() == 0


def test_a_job_that_was_claimed_is_asked_to_stop(
    client: FlaskClient, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "WAIT_SECONDS", 0.2)
    thread, _ = post_aside(client)
    wait_until(lambda: store.num_queued() == 1, "the job waits")
    job_id = claim(store).job.id
    thread.join()
    assert store.get(job_id).cancel_requested
