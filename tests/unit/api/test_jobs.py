from __future__ import annotations

import secrets
import threading

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tasks.jobs.models import JobError, JobStatus, Row
from tasks.jobs.protocol import Outcome, Verdict
from tasks.jobs.store import JobStore
from tests.pace import take_all_slots
from tests.unit.api.fakes import FakeWorker, LocalListener, cancel, fail
from tests.waiting import wait_until

BODY = {"text": "Once upon a time", "max_new_tokens": 10}
UNKNOWN = f"job_{'0' * 32}"


def submit(client: FlaskClient, **changes: object) -> str:
    answer = client.post("/jobs", json={**BODY, **changes})
    assert answer.status_code == 202
    assert answer.json is not None
    return str(answer.json["id"])


def test_a_queued_job_shows_its_place(client: FlaskClient, store: JobStore) -> None:
    take_all_slots(store)
    first, second = submit(client), submit(client)

    answer = client.get(f"/jobs/{second}")

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["id"] == second
    assert answer.json["queue"] == {"position": 2, "eta_s": None}
    paths = {"self": "", "cancel": "/cancel", "events": "/events", "retry": "/retry"}
    assert answer.json["urls"] == {name: f"/jobs/{second}{path}" for name, path in paths.items()}
    assert answer.headers["Retry-After"]
    assert client.get(f"/jobs/{first}").json["queue"]["position"] == 1  # type: ignore[index]


def test_a_claimed_job_is_queued_until_it_is_in_the_engine(client: FlaskClient, worker: FakeWorker) -> None:
    job_id = submit(client)
    claim = worker.claim()
    claimed = client.get(f"/jobs/{job_id}").json
    worker.start(claim, num_tokens=3)
    running = client.get(f"/jobs/{job_id}").json

    assert claimed is not None
    assert claimed["status"] == "queued"
    assert claimed["queue"] == {"position": None, "eta_s": None}
    assert running is not None
    assert running["status"] == "running"
    assert running["attempt"] == 1
    assert running["queue"] is None
    assert running["progress"] == {"tokens": 3, "max_new_tokens": 10}
    assert running["result"] is running["usage"] is None


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
def test_showing_a_job_is_a_success_in_every_state(
    client: FlaskClient, worker: FakeWorker, status: str
) -> None:
    job_id = submit(client)
    outcome = {"failed": fail("engine_failed"), "canceled": cancel}.get(status)
    claim = worker.claim()
    worker.finish(claim, outcome) if outcome else worker.finish(claim)

    answer = client.get(f"/jobs/{job_id}?wait=60")

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == status
    assert "Retry-After" not in answer.headers


def test_a_long_poll_is_answered_the_moment_the_job_ends(
    client: FlaskClient, worker: FakeWorker, listener: LocalListener
) -> None:
    job_id = submit(client)
    answers: list[TestResponse] = []

    def poll() -> None:
        answers.append(client.get(f"/jobs/{job_id}?wait=60"))

    threads = [threading.Thread(target=poll) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: listener.num_waiters == 5, "all polls wait")
    worker.finish(worker.claim())
    for thread in threads:
        thread.join(10)

    assert [answer.json["status"] for answer in answers] == ["succeeded"] * 5  # type: ignore[index]


def test_a_long_poll_that_runs_out_shows_the_job_as_it_is(client: FlaskClient) -> None:
    answer = client.get(f"/jobs/{submit(client)}", headers={"Prefer": "wait=0"})

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=0"
    assert answer.json is not None
    assert answer.json["status"] == "queued"


@pytest.mark.parametrize(
    "job_id", [UNKNOWN, "job_", "nonsense", "job_" + "0" * 31, "JOB_" + "0" * 32, "a" * 5000, "job_*"]
)
@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("GET", "?wait=60"), ("DELETE", ""), ("POST", "/cancel")]
)
def test_an_id_that_never_was_is_not_found(
    client: FlaskClient, job_id: str, method: str, suffix: str
) -> None:
    answer = client.open(f"/jobs/{job_id}{suffix}", method=method)

    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["code"] == "job_not_found"


def test_a_job_past_its_retention_is_gone(
    client: FlaskClient, worker: FakeWorker, store_client: redis.Redis
) -> None:
    job_id = submit(client)
    worker.finish(worker.claim())
    store_client.delete(f"neoserve:job:{job_id}")

    for answer in (
        client.get(f"/jobs/{job_id}"),
        client.delete(f"/jobs/{job_id}"),
        client.post(f"/jobs/{job_id}/cancel"),
    ):
        assert answer.status_code == 410
        assert answer.json is not None
        assert answer.json["code"] == "gone"


@pytest.mark.parametrize("by", ["delete", "post"])
def test_a_canceled_job_leaves_the_queue(client: FlaskClient, by: str) -> None:
    job_id, next_id = submit(client), submit(client)
    path = f"/jobs/{job_id}" if by == "delete" else f"/jobs/{job_id}/cancel"
    answer = client.open(path, method=by.upper())
    again = client.open(path, method=by.upper())

    assert answer.status_code == again.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "canceled"
    assert client.get(f"/jobs/{next_id}").json["queue"]["position"] == 1  # type: ignore[index]


def test_a_running_job_is_asked_to_stop(client: FlaskClient, worker: FakeWorker) -> None:
    job_id = submit(client)
    claim = worker.claim()
    worker.start(claim)

    answer = client.delete(f"/jobs/{job_id}")

    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["status"] == "running"
    assert worker.start(claim) is Verdict.CANCEL
    worker.finish(claim, cancel)
    assert client.delete(f"/jobs/{job_id}").status_code == 200


def test_a_finished_job_cannot_be_canceled(client: FlaskClient, worker: FakeWorker) -> None:
    job_id = submit(client)
    worker.finish(worker.claim())

    answer = client.delete(f"/jobs/{job_id}")

    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["code"] == "job_finished"
    assert answer.json["job"]["status"] == "succeeded"


def test_a_job_stopped_by_its_deadline_shows_the_text_so_far(client: FlaskClient, worker: FakeWorker) -> None:
    job_id = submit(client, return_full_text=False)
    claim = worker.claim()
    worker.start(claim, num_tokens=2)
    rows = (Row(text=" there was", finish_reason="canceled", num_tokens=2),)
    error = JobError(code="deadline_exceeded", detail="Too late.")
    worker.finish(claim, lambda _: Outcome(status=JobStatus.FAILED, rows=rows, error=error, num_tokens=2))

    job = client.get(f"/jobs/{job_id}").json

    assert job is not None
    assert job["status"] == "failed"
    assert job["error"] == {"code": "deadline_exceeded", "detail": "Too late."}
    assert job["result"] == [{"generated_text": " there was", "finish_reason": "canceled"}]
    assert job["usage"]["completion_tokens"] == 2


class TestIdempotencyKey:
    def test_the_same_request_makes_one_job(self, client: FlaskClient) -> None:
        headers = {"Idempotency-Key": secrets.token_hex()}
        first = client.post("/jobs", json=BODY, headers=headers)
        second = client.post("/jobs", json={**BODY, "priority": "normal"}, headers=headers)

        assert first.json is not None
        assert second.json is not None
        assert first.json["id"] == second.json["id"]
        assert "Idempotent-Replayed" not in first.headers
        assert second.headers["Idempotent-Replayed"] == "true"

    def test_it_is_good_after_the_job_has_ended(self, client: FlaskClient, worker: FakeWorker) -> None:
        headers = {"Idempotency-Key": "k 1"}
        client.post("/jobs", json=BODY, headers=headers)
        worker.finish(worker.claim())
        replay = client.post("/predict?wait=30", json=BODY, headers=headers)

        assert replay.status_code == 200
        assert replay.json is not None
        assert replay.json["result"]

    def test_a_failed_job_is_shown_to_who_polls_and_raised_to_who_waits(
        self, client: FlaskClient, worker: FakeWorker
    ) -> None:
        headers = {"Idempotency-Key": "k"}
        client.post("/jobs", json=BODY, headers=headers)
        worker.finish(worker.claim(), fail("engine_failed"))

        replay = client.post("/jobs", json=BODY, headers=headers)
        assert replay.status_code == 200
        assert replay.headers["Location"] == replay.json["urls"]["self"]  # type: ignore[index]
        assert client.post("/predict?wait=1", json=BODY, headers=headers).status_code == 500

    def test_another_request_under_the_same_key_is_refused(self, client: FlaskClient) -> None:
        headers = {"Idempotency-Key": "k"}
        first = client.post("/jobs", json=BODY, headers=headers)
        answer = client.post("/jobs", json={**BODY, "seed": 1}, headers=headers)

        assert answer.status_code == 422
        assert answer.json is not None
        assert answer.json["code"] == "idempotency_key_reused"
        assert answer.json["job_id"] == first.json["id"]  # type: ignore[index]

    @pytest.mark.parametrize("key", ["", " ", "k" * 256, "schlüssel", "a\tb"])
    def test_a_key_is_short_and_printable(self, client: FlaskClient, key: str) -> None:
        answer = client.post("/jobs", json=BODY, headers={"Idempotency-Key": key})

        assert answer.status_code == 422
        assert answer.json is not None
        assert answer.json["code"] == "invalid_header"

    def test_a_key_of_255_characters_is_taken(self, client: FlaskClient) -> None:
        answer = client.post("/jobs", json=BODY, headers={"Idempotency-Key": "k" * 255})
        assert answer.status_code == 202
