"""Full queues and deadlines that cannot be met: what is refused, when to come back; nothing is left of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.job_steps import contents
from tests.pace import set_pace
from tests.unit.api.fakes import FakeWorker, LocalListener, register_test_model

BODY = {"text": "Hello, world!", "max_new_tokens": 100}
FULL = 3


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings(sync_wait_seconds=0, max_queued=FULL)


def fill(client: FlaskClient, number: int = FULL) -> None:
    for _ in range(number):
        assert client.post("/jobs", json=BODY).status_code == 202


def post(client: FlaskClient, *, key: str = "", **fields: Any) -> TestResponse:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/jobs", json={**BODY, **fields}, headers=headers)


def test_a_queued_job_shows_when_it_will_start(client: FlaskClient, store: JobStore) -> None:
    fill(client, 1)
    set_pace(store, 100)
    submitted = post(client).json
    assert submitted is not None
    # One job ahead of it, and half of another until a slot is free.
    assert submitted["queue"] == {"position": 2, "eta_s": 1.5}
    read = client.get(submitted["urls"]["self"]).json
    assert read is not None
    assert read["queue"] == submitted["queue"]


@pytest.mark.parametrize(("tokens_per_second", "seconds"), [(None, 5), (30, 4), (1e6, 1), (0.1, 60)], ids=str)
def test_a_full_queue_says_when_there_will_be_a_place(
    client: FlaskClient, store: JobStore, tokens_per_second: float | None, seconds: int
) -> None:
    fill(client)
    if tokens_per_second:
        set_pace(store, tokens_per_second)
    answer = post(client)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == str(seconds)


def test_the_status_of_a_full_queue_may_be_503(
    settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    register_test_model(store)
    changed = replace(settings, queue_full_status=503)
    client = create_app(changed, store=store, ring=ring, listener=listener).test_client()
    fill(client)
    answer = post(client)
    assert answer.status_code == 503
    assert answer.json is not None
    assert (answer.json["status"], answer.json["code"]) == (503, "queue_full")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("key", ["", "my-key"])
def test_a_request_that_a_full_queue_refuses_leaves_nothing(
    client: FlaskClient, store: JobStore, key: str
) -> None:
    fill(client)
    before = contents(store)
    assert post(client, key=key).status_code == 429
    assert contents(store) == before


def test_a_full_queue_still_finds_the_job_of_a_key(client: FlaskClient) -> None:
    first = post(client, key="k").json
    fill(client, FULL - 1)
    again = post(client, key="k")
    assert again.status_code == 202
    assert first is not None
    assert again.json is not None
    assert again.json["id"] == first["id"]


@pytest.mark.parametrize("key", ["", "my-key"])
def test_a_deadline_before_the_expected_start_is_refused_with_both_numbers(
    client: FlaskClient, store: JobStore, key: str
) -> None:
    fill(client, 2)
    set_pace(store, 10)
    before = contents(store)

    answer = post(client, key=key, deadline_s=12.5)

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "deadline_unmeetable"
    assert (answer.json["estimated_wait_s"], answer.json["deadline_s"]) == (25, 12.5)
    assert "25.0 s" in answer.json["detail"]
    assert "12.5" in answer.json["detail"]
    assert contents(store) == before


def test_a_deadline_after_the_expected_start_is_taken(client: FlaskClient, store: JobStore) -> None:
    fill(client, 2)
    set_pace(store, 10)
    assert post(client, deadline_s=26).status_code == 202


def test_a_higher_priority_may_meet_a_deadline_that_a_lower_one_cannot(
    client: FlaskClient, store: JobStore
) -> None:
    fill(client, 2)
    set_pace(store, 10)
    assert post(client, deadline_s=12.5, priority="high").status_code == 202


def test_without_an_estimate_any_deadline_is_taken(client: FlaskClient) -> None:
    fill(client, 2)
    assert post(client, deadline_s=0.5).status_code == 202


def test_a_fleet_with_room_meets_any_deadline(client: FlaskClient, store: JobStore) -> None:
    set_pace(store, 1, busy=False)
    assert post(client, deadline_s=0.5).status_code == 202


def test_the_job_of_a_key_is_found_also_when_its_deadline_could_not_be_met_now(
    client: FlaskClient, store: JobStore, worker: FakeWorker
) -> None:
    first = post(client, key="k", deadline_s=12.5).json
    fill(client, 2)
    set_pace(store, 1)

    again = post(client, key="k", deadline_s=12.5)
    other = post(client, key="k", deadline_s=12)

    assert first is not None
    assert again.json is not None
    assert (again.status_code, again.json["id"]) == (202, first["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.status_code == 422
    assert other.json is not None
    assert other.json["code"] == "idempotency_key_reused"
