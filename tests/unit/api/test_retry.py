"""POST /jobs/<id>/retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from api.service import EXTENSION
from tasks.jobs.models import Job
from tasks.jobs.protocol import Outcome
from tasks.jobs.store import JobStore
from tests.pace import set_pace
from tests.unit.api.fakes import FakeWorker, cancel, fail, rung, succeed
from tests.unit.api.test_jobs import UNKNOWN, submit

Ending = Callable[[Job], Outcome]
KEY = {"Idempotency-Key": "again"}
break_it = fail("engine_failed")


def end(client: FlaskClient, worker: FakeWorker, outcome: Ending = break_it, **changes: Any) -> str:
    job_id = submit(client, **changes)
    worker.finish(worker.claim(), outcome)
    return job_id


@pytest.mark.parametrize("outcome", [succeed, break_it, cancel])
def test_a_job_that_has_ended_is_recorded_again_as_a_new_one(
    client: FlaskClient, worker: FakeWorker, store: JobStore, outcome: Ending
) -> None:
    asked = {"seed": 7, "priority": "low", "ttl_s": 60, "metadata": {"a": 1}, "num_return_sequences": 2}
    asked["cancel_on_disconnect"] = True
    ended_id = end(client, worker, outcome, **asked)
    before = client.get(f"/jobs/{ended_id}").json

    answer = client.post(f"/jobs/{ended_id}/retry")

    assert answer.status_code == 202
    job = answer.json
    assert job is not None
    assert before is not None
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert answer.headers["Retry-After"] == "1"
    assert job["id"] != ended_id
    assert (job["status"], job["attempt"], job["retry_of"]) == ("queued", 0, ended_id)
    for member in ("parameters", "priority", "model", "metadata"):
        assert job[member] == before[member]
    assert store.get(job["id"]).spec() == {
        **store.get(ended_id).spec(),
        "id": job["id"],
        "retry_of": ended_id,
    }
    assert client.get(f"/jobs/{ended_id}").json == before, "what has ended stays as it is"
    assert rung(store)[-1] == job["id"]
    assert worker.claim().job.text == store.get(ended_id).text


def test_a_drawn_seed_is_kept(client: FlaskClient, worker: FakeWorker) -> None:
    ended_id = end(client, worker)
    again = client.post(f"/jobs/{ended_id}/retry").json
    assert again is not None
    assert again["parameters"] == client.get(f"/jobs/{ended_id}").json["parameters"]  # type: ignore[index]


def test_a_deadline_begins_anew(client: FlaskClient, store: JobStore, store_client: redis.Redis) -> None:
    job_id = submit(client, deadline_s=0.25)
    long_ago = int(store_client.hget(f"neoserve:job:{job_id}", "created_at") or 0) - 100_000  # type: ignore[arg-type]
    store_client.hset(
        f"neoserve:job:{job_id}", mapping={"created_at": long_ago, "deadline_at": long_ago + 250}
    )
    store_client.zadd("neoserve:due", {job_id: long_ago + 250})
    assert store.reap().expired == 1

    again = store.get(client.post(f"/jobs/{job_id}/retry").json["id"])  # type: ignore[index]

    assert again.deadline_at == pytest.approx(again.created_at + 0.25)
    assert again.retry_of == job_id


@pytest.mark.parametrize("started", [False, True])
def test_a_job_that_has_not_ended_is_not_retried(
    client: FlaskClient, worker: FakeWorker, store: JobStore, started: bool
) -> None:
    job_id = submit(client)
    if started:
        worker.start(worker.claim())

    answer = client.post(f"/jobs/{job_id}/retry")

    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["code"] == "job_not_ended"
    assert answer.json["job"]["id"] == job_id
    assert rung(store) == [job_id]


def test_there_is_nothing_to_retry_where_no_job_was(client: FlaskClient) -> None:
    for job_id in (UNKNOWN, "nonsense"):
        answer = client.post(f"/jobs/{job_id}/retry")
        assert answer.status_code == 404
        assert answer.json is not None
        assert answer.json["code"] == "job_not_found"


def test_what_is_gone_cannot_be_retried(
    client: FlaskClient, worker: FakeWorker, store_client: redis.Redis
) -> None:
    ended_id = end(client, worker)
    store_client.delete(f"neoserve:job:{ended_id}")
    answer = client.post(f"/jobs/{ended_id}/retry")
    assert answer.status_code == 410
    assert answer.json is not None
    assert answer.json["code"] == "gone"


def test_a_retry_is_refused_when_the_queue_is_full(
    client: FlaskClient, worker: FakeWorker, store: JobStore
) -> None:
    ended_id = end(client, worker)
    for _ in range(100):
        submit(client)
    answer = client.post(f"/jobs/{ended_id}/retry")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert answer.json is not None
    assert answer.json["code"] == "queue_full"
    assert store.num_queued() == 100


def test_a_retry_sent_twice_with_a_key_makes_one_job(client: FlaskClient, worker: FakeWorker) -> None:
    ended_id = end(client, worker)
    first = client.post(f"/jobs/{ended_id}/retry", headers=KEY)
    second = client.post(f"/jobs/{ended_id}/retry", headers=KEY)
    worker.finish(worker.claim())
    third = client.post(f"/jobs/{ended_id}/retry", headers=KEY)

    assert [answer.status_code for answer in (first, second, third)] == [202, 202, 200]
    assert {answer.json["id"] for answer in (first, second, third)} == {first.json["id"]}  # type: ignore[index]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == third.headers["Idempotent-Replayed"] == "true"


def test_a_key_belongs_to_one_request(client: FlaskClient, worker: FakeWorker) -> None:
    body = {"text": "Once upon a time"}
    ended_id, other_id = end(client, worker), end(client, worker)
    client.post(f"/jobs/{ended_id}/retry", headers=KEY)
    for answer in (
        client.post(f"/jobs/{other_id}/retry", headers=KEY),
        client.post("/jobs", json=body, headers=KEY),
    ):
        assert answer.status_code == 422
        assert answer.json is not None
        assert answer.json["code"] == "idempotency_key_reused"


def test_a_retry_can_be_retried(client: FlaskClient, worker: FakeWorker) -> None:
    ended_id = end(client, worker)
    second = client.post(f"/jobs/{ended_id}/retry").json["id"]  # type: ignore[index]
    worker.finish(worker.claim(), break_it)
    third = client.post(f"/jobs/{second}/retry").json
    assert third is not None
    assert third["retry_of"] == second


def test_a_retry_never_waits(client: FlaskClient, worker: FakeWorker) -> None:
    ended_id = end(client, worker)
    answer = client.post(f"/jobs/{ended_id}/retry", headers={"Prefer": "wait=60"})
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_a_server_that_shuts_down_takes_a_retry_on_a_kept_connection(
    app: Flask, worker: FakeWorker, store: JobStore
) -> None:
    client = app.test_client()
    ended_id = end(client, worker)
    app.extensions[EXTENSION].drain()
    assert client.post(f"/jobs/{ended_id}/retry").status_code == 202
    assert store.num_queued() == 1


def test_a_retry_that_cannot_meet_its_deadline_any_more_is_refused(
    client: FlaskClient, worker: FakeWorker, store: JobStore
) -> None:
    ended_id = end(client, worker, deadline_s=2)
    for _ in range(10):
        submit(client)
    set_pace(store, 10)  # Tokens per second; each of these jobs has 10.
    answer = client.post(f"/jobs/{ended_id}/retry", headers=KEY)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "deadline_unmeetable"
    assert store.num_queued() == 10
