from __future__ import annotations

import dataclasses
import re
import threading

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.service import EXTENSION
from api.settings import ApiSettings
from tasks.jobs.models import JobStatus
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.pace import take_all_slots
from tests.unit.api.fakes import (
    MODEL,
    FakeWorker,
    LocalListener,
    count_tokens,
    fail,
    register_test_model,
    rung,
)
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}


def in_background(call: object) -> tuple[threading.Thread, list[TestResponse]]:
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(call()))  # type: ignore[operator]
    thread.start()
    return thread, answers


def test_the_request_of_the_replaced_service_gets_its_answer(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()

    answer = client.post("/predict?wait=30", json=BODY)

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.headers["Location"] == f"/jobs/{answer.json['id']}"
    (text,) = answer.json["result"]
    assert text["generated_text"].startswith("Hello, world! [job_")
    assert text["finish_reason"] == "length"


def test_the_answer_says_what_ran_and_what_it_cost(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()

    job = client.post("/predict?wait=30", json={**BODY, "seed": 7, "metadata": {"a": [1]}}).json

    assert job is not None
    prompt_tokens = count_tokens("Hello, world!")
    assert re.fullmatch(r"job_[0-9a-f]{32}", job["id"])
    assert job["status"] == "succeeded"
    assert job["model"] == MODEL
    assert job["parameters"] == {
        "max_new_tokens": 50 - prompt_tokens,
        "do_sample": True,
        "temperature": 0.9,
        "top_k": 50,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "stop": [],
        "seed": 7,
        "num_return_sequences": 1,
        "return_full_text": True,
    }
    assert job["usage"] == {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": 50 - prompt_tokens,
        "total_tokens": 50,
    }
    assert job["metadata"] == {"a": [1]}
    assert job["error"] is job["queue"] is job["progress"] is job["retry_of"] is None
    assert set(job["metrics"]) == {"queue_s", "ttft_s", "generate_s", "total_s"}
    assert job["created_at"] <= job["started_at"] <= job["completed_at"] < job["expires_at"]


def test_several_texts_come_with_or_without_the_prompt(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()

    body = {**BODY, "num_return_sequences": 3, "return_full_text": False}
    job = client.post("/predict?wait=30", json=body).json

    assert job is not None
    assert len(job["result"]) == 3
    assert all(row["generated_text"].startswith(" [job_") for row in job["result"])


def test_a_job_that_is_not_finished_in_time_is_handed_over(client: FlaskClient, store: JobStore) -> None:
    take_all_slots(store)
    answer = client.post("/predict?wait=0.01", json=BODY)

    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["status"] == "queued"
    assert answer.json["queue"] == {"position": 1, "eta_s": None}
    assert answer.headers["Location"] == answer.json["urls"]["self"] == f"/jobs/{answer.json['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert store.get(answer.json["id"]).status is JobStatus.QUEUED


def test_a_waiting_call_is_answered_the_moment_its_job_ends(
    client: FlaskClient, worker: FakeWorker, listener: LocalListener
) -> None:
    thread, answers = in_background(lambda: client.post("/predict?wait=60", json=BODY))
    wait_until(lambda: listener.num_waiters == 1, "the call waits")
    worker.finish(worker.claim())
    thread.join(10)

    assert answers[0].status_code == 200


def test_every_recorded_job_rings_once(client: FlaskClient, store: JobStore) -> None:
    ids = [client.post("/predict", json=BODY).json["id"] for _ in range(3)]  # type: ignore[index]

    assert rung(store) == ids
    assert len(set(ids)) == 3


def test_a_job_that_was_recorded_before_rings_no_second_time(client: FlaskClient, store: JobStore) -> None:
    headers = {"Idempotency-Key": "k"}
    ids = [client.post("/predict", json=BODY, headers=headers).json["id"] for _ in range(2)]  # type: ignore[index]

    assert rung(store) == ids[:1]


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0"])
def test_a_client_may_refuse_to_wait(client: FlaskClient, prefer: str) -> None:
    answer = client.post("/predict?wait=60", json=BODY, headers={"Prefer": prefer})

    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == prefer


def test_jobs_never_waits(client: FlaskClient) -> None:
    answer = client.post("/jobs", json=BODY, headers={"Prefer": "wait=60"})

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_what_the_client_preferred_is_confirmed(client: FlaskClient, worker: FakeWorker) -> None:
    worker.serve()

    answer = client.post("/predict", json=BODY, headers={"Prefer": "wait=60"})

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_a_caller_too_many_is_not_kept_waiting(
    store: JobStore, ring: RecordingRing, listener: LocalListener, worker: FakeWorker
) -> None:
    register_test_model(store)
    app = create_app(ApiSettings(max_waiters=1), store=store, ring=ring, listener=listener)
    thread, answers = in_background(lambda: app.test_client().post("/predict?wait=60", json=BODY))
    wait_until(lambda: listener.num_waiters == 1, "the first call waits")

    answer = app.test_client().post("/predict?wait=60", json=BODY, headers={"Prefer": "wait=60"})

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    worker.finish(worker.claim())
    thread.join(10)
    assert answers[0].status_code == 200


def test_draining_hands_over_those_who_wait_and_those_who_still_come(
    app: Flask, listener: LocalListener, store: JobStore
) -> None:
    thread, answers = in_background(lambda: app.test_client().post("/predict?wait=60", json=BODY))
    wait_until(lambda: listener.num_waiters == 1, "the call waits")

    app.extensions[EXTENSION].drain()
    thread.join(10)
    late = app.test_client().post("/predict?wait=60", json=BODY)

    for answer in (answers[0], late):
        assert answer.status_code == 202
        assert answer.json is not None
        assert answer.headers["Location"] == f"/jobs/{answer.json['id']}"
    assert len(rung(store)) == 2


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("engine_failed", 500),
        ("worker_lost", 503),
        ("model_unavailable", 503),
        ("deadline_exceeded", 504),
    ],
)
def test_a_failure_reaches_the_caller_who_waits(
    client: FlaskClient, worker: FakeWorker, code: str, status: int
) -> None:
    worker.serve(fail(code, "It broke."))

    answer = client.post("/predict?wait=30", json=BODY)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["code"] == code
    assert answer.json["detail"] == "It broke."
    assert answer.json["job"]["status"] == "failed"
    assert answer.json["job"]["error"] == {"code": code, "detail": "It broke."}


def test_a_job_canceled_by_another_is_a_conflict(
    client: FlaskClient, store: JobStore, listener: LocalListener
) -> None:
    thread, answers = in_background(lambda: client.post("/predict?wait=60", json=BODY))
    wait_until(lambda: listener.num_waiters == 1, "the call waits")
    store.cancel(rung(store)[0])
    listener.wake(rung(store)[0])
    thread.join(10)

    assert answers[0].status_code == 409
    assert answers[0].json is not None
    assert answers[0].json["code"] == "canceled"
    assert answers[0].json["job"]["status"] == "canceled"


def test_a_job_that_misses_its_deadline_is_a_timeout_as_soon_as_it_does(client: FlaskClient) -> None:
    # Nobody reaps here, and nobody tells of the end.
    answer = client.post("/predict?wait=60", json={**BODY, "deadline_s": 0.01})

    assert answer.status_code == 504
    assert answer.json is not None
    assert answer.json["code"] == "expired"


def test_no_model_was_ever_registered(bare_app: Flask, store: JobStore) -> None:
    answer = bare_app.test_client().post("/predict", json=BODY)

    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "no_model"
    assert answer.headers["Retry-After"]
    assert rung(store) == []


def test_jobs_are_taken_while_all_workers_are_away(client: FlaskClient, store: JobStore) -> None:
    store.retire_worker(f"worker-of-{FINGERPRINT}")

    assert client.post("/predict", json=BODY).status_code == 202


def test_a_model_is_chosen_by_name(client: FlaskClient, store: JobStore) -> None:
    register_test_model(store, "other/model", "fp-other")

    chosen = client.post("/jobs", json={**BODY, "model": MODEL}).json
    latest = client.post("/jobs", json=BODY).json
    unknown = client.post("/jobs", json={**BODY, "model": "gpt-5"})

    assert chosen is not None
    assert chosen["model"] == MODEL
    assert latest is not None
    assert latest["model"] == "other/model"
    assert unknown.status_code == 422
    assert unknown.json is not None
    assert unknown.json["code"] == "unknown_model"
    assert unknown.json["errors"][0]["field"] == "model"


def test_a_full_queue_refuses_and_keeps_nothing(
    settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    register_test_model(store)
    small = dataclasses.replace(settings, max_queued=2)
    client = create_app(small, store=store, ring=ring, listener=listener).test_client()
    answers = [client.post("/jobs", json=BODY) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json is not None
    assert answers[2].json["code"] == "queue_full"
    assert int(answers[2].headers["Retry-After"]) > 0
    assert store.num_queued() == len(rung(store)) == 2


@pytest.mark.parametrize("priority", ["high", "normal", "low"])
def test_the_priority_is_recorded(client: FlaskClient, priority: str) -> None:
    job = client.post("/jobs", json={**BODY, "priority": priority}).json

    assert job is not None
    assert job["priority"] == priority
