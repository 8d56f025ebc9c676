"""How much one key may ask for."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.key_entry import new_key
from api.keyring import Keyring
from api.rate import Rate, parse_rate
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import FakeWorker, LocalListener, register_test_model
from tests.unit.api.test_authentication import bearer, make_job
from tests.unit.api.test_jobs import BODY

OURS, OUR_ENTRY = new_key("ours")
THEIRS, THEIR_ENTRY = new_key("theirs")
KEYRING = Keyring([OUR_ENTRY, THEIR_ENTRY])


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings(sync_wait_seconds=0, rate_limit=Rate(3, 3600), max_jobs_per_key=2)


@pytest.fixture
def app(settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener) -> Flask:
    register_test_model(store)
    return create_app(settings, store=store, ring=ring, listener=listener, keyring=KEYRING)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("60/minute", Rate(60, 60)), (" 5 / 10 Seconds ", Rate(5, 10)), ("1/day", Rate(1, 86400))],
)
def test_a_rate_is_a_number_and_a_period(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "60", "0/minute", "5/0 seconds", "-1/minute", "60 per minute", "1/week"]
)
def test_any_other_text_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="60/minute"):
        parse_rate(text)


def test_submits_beyond_the_rate_are_refused_and_looking_is_not_counted(
    client: FlaskClient, worker: FakeWorker, store: JobStore
) -> None:
    left = []
    for _ in range(3):
        answer = client.post("/jobs", json=BODY, headers=bearer(OURS))
        assert answer.status_code == 202
        assert answer.headers["RateLimit-Policy"] == '"submits";q=3;w=3600'
        left.append(int(re.fullmatch(r'"submits";r=(\d+);t=\d+', answer.headers["RateLimit"])[1]))  # type: ignore[index]
        worker.finish(worker.claim())
    assert left == [2, 1, 0]

    refused = client.post("/predict", json=BODY, headers=bearer(OURS))

    assert refused.status_code == 429
    assert refused.json is not None
    assert refused.json["code"] == "rate_limited"
    assert refused.json["detail"] == "This key may submit 3 times in 3600 s; nothing was recorded."
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert refused.headers["RateLimit"].startswith('"submits";r=0;t=')
    assert len(store.list_jobs(owner="ours").jobs) == 3
    for _ in range(5):
        assert client.get("/jobs", headers=bearer(OURS)).status_code == 200
    assert client.post("/jobs", json=BODY, headers=bearer(THEIRS)).status_code == 202


def test_what_a_browser_asks_beforehand_is_not_counted(client: FlaskClient) -> None:
    for _ in range(4):
        answer = client.options("/jobs", headers={"Origin": "https://app.example.com"})
        assert (answer.status_code, "RateLimit" in answer.headers) == (200, False)


def test_the_rate_holds_for_everything_that_makes_jobs(client: FlaskClient) -> None:
    paths = ["/predict", "/jobs", "/batches", "/jobs/job_1/retry"]
    for _ in range(3):
        client.post("/jobs", json={}, headers=bearer(OURS))
    assert {client.post(path, json=BODY, headers=bearer(OURS)).status_code for path in paths} == {429}


def test_a_key_has_so_many_jobs_that_have_not_ended(
    client: FlaskClient, worker: FakeWorker, store: JobStore
) -> None:
    make_job(client, OURS)
    canceled = make_job(client, OURS)

    refused = client.post("/jobs", json=BODY, headers=bearer(OURS))

    assert refused.status_code == 429
    assert refused.json is not None
    assert refused.json["code"] == "too_many_jobs"
    assert refused.json["detail"] == (
        "2 jobs of this key have not ended and the limit is 2; nothing was recorded."
    )
    assert "Retry-After" in refused.headers
    assert len(store.list_jobs(owner="ours").jobs) == 2
    make_job(client, THEIRS)
    client.delete(f"/jobs/{canceled}", headers=bearer(OURS))


def test_every_end_makes_room(store: JobStore, ring: RecordingRing, listener: LocalListener) -> None:
    register_test_model(store)
    settings = ApiSettings(sync_wait_seconds=0, max_jobs_per_key=1)
    client = create_app(settings, store=store, ring=ring, listener=listener, keyring=KEYRING).test_client()
    worker = FakeWorker(store, listener)
    first = make_job(client, OURS, **{"Idempotency-Key": "k"})
    assert make_job(client, OURS, **{"Idempotency-Key": "k"}) == first  # It is no second one.
    assert client.post("/jobs", json=BODY, headers=bearer(OURS)).status_code == 429
    client.delete(f"/jobs/{first}", headers=bearer(OURS))
    make_job(client, OURS)
    worker.finish(worker.claim())
    make_job(client, OURS)
    assert not store.client.keys("*unfinished_jobs:theirs*")


def test_jobs_that_a_release_without_this_limit_has_ended_do_not_count(
    store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    register_test_model(store)
    settings = ApiSettings(sync_wait_seconds=0, max_jobs_per_key=1)
    client = create_app(settings, store=store, ring=ring, listener=listener, keyring=KEYRING).test_client()
    store.client.sadd(f"{store.namespace}:unfinished_jobs:ours", "job_that_is_gone")
    make_job(client, OURS)
