"""Two things at once that a client may hit: over HTTP, through two API processes on one real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import redis

from tasks.jobs.models import JobStatus
from tasks.jobs.names import QUEUE_NAME
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.integration.jobs.test_concurrency import at_once
from tests.job_steps import WORKER, claim, finish, step
from tests.unit.api.fakes import FakeWorker

ROUNDS = 15
BODY = {"text": "Hello, world!", "max_new_tokens": 5}


@pytest.fixture
def replicas(api: ApiProcess, start_api: StartApi, redis_url: str) -> Iterator[list[httpx.Client]]:
    """Connections to two API processes."""
    other = start_api(redis_url)
    clients = [httpx.Client(base_url=each.url, timeout=40) for each in (api, other)]
    yield clients
    for client in clients:
        client.close()


def test_fifty_requests_with_one_key_at_once_make_one_job(
    replicas: list[httpx.Client], real_store: JobStore, real_client: redis.Redis
) -> None:
    for number in range(5):
        headers = {"Idempotency-Key": f"key-{number}"}
        answers = at_once(
            50, lambda i, headers=headers: replicas[i % 2].post("/jobs", json=BODY, headers=headers)
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len({answer.json()["parameters"]["seed"] for answer in answers}) == 1
        assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert real_store.num_queued() == real_client.llen(QUEUE_NAME) == 5


def test_fifty_requests_with_one_key_and_two_bodies_at_once_make_one_job(
    replicas: list[httpx.Client], real_store: JobStore
) -> None:
    headers = {"Idempotency-Key": "key"}

    def send(i: int) -> httpx.Response:
        return replicas[i % 2].post("/jobs", json={**BODY, "seed": i // 2 % 2}, headers=headers)

    answers = at_once(50, send)

    taken = [answer.json() for answer in answers if answer.status_code == 202]
    refused = [answer.json() for answer in answers if answer.status_code == 422]
    assert len({job["id"] for job in taken}) == 1
    assert len(taken) + len(refused) == 50
    assert {problem["code"] for problem in refused} == {"idempotency_key_reused"}
    assert 24 <= len(taken) <= 26  # Those with the body that came first.
    assert real_store.num_queued() == 1


def test_fifty_callers_with_one_key_wait_for_one_job(
    replicas: list[httpx.Client], worker: FakeWorker
) -> None:
    worker.serve()
    headers = {"Idempotency-Key": "key", "Prefer": "wait=30"}
    answers = at_once(50, lambda i: replicas[i % 2].post("/predict", json=BODY, headers=headers))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


def test_fifty_retries_with_one_key_at_once_make_one_job(
    replicas: list[httpx.Client], real_store: JobStore, worker: FakeWorker
) -> None:
    ended = replicas[0].post("/jobs", json=BODY).json()["id"]
    worker.finish(worker.claim())
    headers = {"Idempotency-Key": "key"}
    answers = at_once(50, lambda i: replicas[i % 2].post(f"/jobs/{ended}/retry", headers=headers))
    assert {answer.json()["retry_of"] for answer in answers} == {ended}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert real_store.num_queued() == 1


def test_a_cancel_that_races_with_the_end_tells_the_truth_to_everybody(
    replicas: list[httpx.Client], real_store: JobStore
) -> None:
    """The one who cancels, the one who waits and the one who looks later agree on how it ended."""
    for _ in range(ROUNDS):
        job_id = replicas[0].post("/jobs", json=BODY).json()["id"]
        taken = claim(real_store)
        step(real_store, taken)

        def act(i: int, job_id: str = job_id, taken: object = taken) -> httpx.Response | bool:
            if i == 0:
                return finish(real_store, taken)  # type: ignore[arg-type]
            if i == 1:
                return replicas[0].delete(f"/jobs/{job_id}")
            return replicas[1].get(f"/jobs/{job_id}?wait=30")

        finished, canceled, waited = at_once(3, act)
        assert finished is True, "the worker had not obeyed yet, so its text counts"
        assert isinstance(canceled, httpx.Response)
        assert isinstance(waited, httpx.Response)
        last = replicas[1].get(f"/jobs/{job_id}").json()
        assert last["status"] == waited.json()["status"] == "succeeded"
        if canceled.status_code == 409:
            assert canceled.json()["code"] == "job_finished"
            assert canceled.json()["job"] == last
        else:
            assert canceled.status_code == 202, "asked to stop; that is no promise"


def test_a_cancel_that_races_with_a_claim_leaves_no_doubt(
    replicas: list[httpx.Client], real_store: JobStore
) -> None:
    for number in range(ROUNDS):
        job_id = replicas[0].post("/jobs", json=BODY).json()["id"]

        def act(i: int, job_id: str = job_id, nonce: str = f"nonce-{number}") -> object:
            if i == 0:
                return real_store.claim_next(WORKER, real_store.models()[0].fingerprint, nonce)
            return replicas[0].delete(f"/jobs/{job_id}")

        taken, canceled = at_once(2, act)
        assert isinstance(canceled, httpx.Response)
        assert canceled.status_code == (200 if taken is None else 202)
        if taken is not None:
            assert step(real_store, taken).verdict == "cancel"  # type: ignore[arg-type]
            assert real_store.release(WORKER, job_id, taken.attempt)  # type: ignore[attr-defined]
        assert replicas[1].get(f"/jobs/{job_id}").json()["status"] == "canceled"


def test_a_caller_hears_of_a_deadline_whenever_it_begins_to_wait(
    replicas: list[httpx.Client], real_store: JobStore
) -> None:
    """Before, while or after the job expires."""
    jobs = [
        replicas[0].post("/jobs", json={**BODY, "deadline_s": 0.02 * (i + 1)}).json()["id"] for i in range(20)
    ]

    def act(i: int) -> str:
        if i < len(jobs):
            job: dict[str, str] = replicas[i % 2].get(f"/jobs/{jobs[i]}?wait=60").json()
            return job["status"]
        while real_store.num_queued():
            real_store.reap()
        return "reaped"

    assert Counter(at_once(len(jobs) + 2, act)) == {"expired": len(jobs), "reaped": 2}


def test_callers_without_a_worker_hear_of_their_deadline(
    replicas: list[httpx.Client], real_store: JobStore
) -> None:
    """Nobody but the reapers of the API processes is there to end them."""
    body = {**BODY, "deadline_s": 0.3}
    answers = at_once(10, lambda i: replicas[i % 2].post("/predict?wait=60", json=body))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(504, "expired")}
    assert {answer.json()["job"]["status"] for answer in answers} == {"expired"}
    assert {real_store.get(answer.json()["job"]["id"]).status for answer in answers} == {JobStatus.EXPIRED}
