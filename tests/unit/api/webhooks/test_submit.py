"""Webhooks over HTTP: what is taken, what is refused, and what a client sees of them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.settings import ApiSettings
from tasks.jobs.store import JobStore
from tasks.jobs.webhook_queue import Settlement, WebhookQueue
from tests.unit.api.fakes import FakeWorker
from tests.webhook_steps import claim_deliveries, names

URL = "https://hooks.example.com/told?token=s3cret"


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings(sync_wait_seconds=0, max_queued=100, webhook_secrets=(b"s" * 32,))


@pytest.fixture
def queue(store: JobStore) -> WebhookQueue:
    return WebhookQueue(store.client, store.namespace)


def submit(client: FlaskClient, **fields: Any) -> Any:
    return client.post("/predict", json={"text": "Once", **fields})


def refusal(client: FlaskClient, **fields: Any) -> dict[str, str]:
    answer = submit(client, **fields)
    assert answer.status_code == 422
    return {each["field"]: each["message"] for each in answer.json["errors"]}


def test_a_client_follows_its_delivery_and_never_sees_the_address(
    client: FlaskClient, worker: FakeWorker, queue: WebhookQueue
) -> None:
    job = submit(client, webhook=URL).json
    assert job["webhook_deliveries"] == []
    worker.finish(worker.claim())
    [due] = claim_deliveries(queue)
    queue.settle(due, Settlement.FAILED, status=500, code="rejected", retry_seconds=5)
    shown = client.get(job["urls"]["self"])
    [told] = shown.json["webhook_deliveries"]  # type: ignore[index]
    assert told.pop("next_at").endswith("Z")
    assert told == {
        "event": "completed",
        "attempts": 1,
        "status": 500,
        "code": "rejected",
        "delivered_at": None,
    }
    assert "hooks.example.com" not in shown.text


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (None, ["completed"]),
        ("started", ["started"]),
        (["completed", "started", "completed"][:2], ["started", "completed"]),
    ],
)
def test_a_client_chooses_of_what_it_is_told(
    client: FlaskClient, worker: FakeWorker, queue: WebhookQueue, events: Any, expected: list[str]
) -> None:
    fields = {} if events is None else {"webhook_events": events}
    job = submit(client, webhook=URL, **fields).json
    taken = worker.claim()
    worker.start(taken)
    worker.finish(taken)
    assert sorted(names(claim_deliveries(queue))) == sorted(f"{job['id']} {each} 1" for each in expected)


def test_a_job_with_a_webhook_is_kept_as_long_as_it_is_tried(client: FlaskClient) -> None:
    assert submit(client, webhook=URL).json["ttl_s"] == 86400
    assert submit(client, webhook=URL, ttl_s=60).json["ttl_s"] == 60
    assert submit(client).json["ttl_s"] == 3600


@pytest.mark.parametrize("url", ["", 5, None, "x" * 2049, "http://hooks.example.com/", "https://127.0.0.1/"])
def test_an_address_that_cannot_be_used_is_refused(client: FlaskClient, url: Any) -> None:
    if url is None:
        assert submit(client, webhook=None).status_code == 202
    else:
        assert list(refusal(client, webhook=url)) == ["webhook"]


def test_no_refusal_repeats_an_address(client: FlaskClient) -> None:
    for url in ("http://a.example/?s3cret", "https://user:s3cret@a.example/", "s3cret"):
        assert "s3cret" not in submit(client, webhook=url).text


@pytest.mark.parametrize("events", [[], ["ended"], ["completed"] * 3, 5, {}])
def test_events_that_there_are_not_are_refused(client: FlaskClient, events: Any) -> None:
    assert {name.split(".")[0] for name in refusal(client, webhook=URL, webhook_events=events)} == {
        "webhook_events"
    }


@pytest.mark.parametrize(
    ("events", "mistakes"),
    [
        (["ended"], {"webhook_events.0": "must be 'started' or 'completed' (given: \"ended\")"}),
        ([], {"webhook_events": "must not be empty (given: a list of 0)"}),
    ],
)
def test_one_mistake_in_the_events_is_told_once_and_plainly(
    events: list[str], mistakes: dict[str, str], client: FlaskClient
) -> None:
    assert refusal(client, webhook=URL, webhook_events=events) == mistakes


def test_events_without_an_address_are_refused(client: FlaskClient) -> None:
    assert refusal(client, webhook_events=["completed"]) == {"webhook_events": "says nothing without webhook"}


def test_the_same_request_is_one_with_the_same_webhook(client: FlaskClient) -> None:
    def send(url: str) -> int:
        answer = client.post(
            "/jobs", json={"text": "Once", "webhook": url}, headers={"Idempotency-Key": "key"}
        )
        return answer.status_code

    assert [send(URL), send(URL), send(URL + "2")] == [202, 202, 422]


def test_a_batch_is_told_of_its_end_and_its_items_have_no_webhooks(
    client: FlaskClient, worker: FakeWorker, queue: WebhookQueue
) -> None:
    requests = [{"text": "one"}, {"text": "two"}]
    batch: Any = client.post("/batches", json={"requests": requests, "webhook": URL}).json
    assert batch["webhook_deliveries"] == []
    for _ in requests:
        worker.finish(worker.claim())
    assert names(claim_deliveries(queue)) == [f"{batch['id']} completed 1"]
    assert client.get(batch["urls"]["self"]).json["webhook_deliveries"][0]["attempts"] == 1  # type: ignore[index]
    for wrong in (
        {"requests": [{"text": "one", "webhook": URL}]},
        {"requests": requests, "defaults": {"webhook": URL}},
        {"requests": requests, "webhook_events": ["completed"]},
        {"requests": requests, "webhook": "http://a.example/"},
    ):
        assert client.post("/batches", json=wrong).status_code == 422


class TestWithoutASecret:
    @pytest.fixture
    def settings(self) -> ApiSettings:
        return ApiSettings(sync_wait_seconds=0)

    def test_there_are_no_webhooks(self, client: FlaskClient, store: JobStore) -> None:
        assert "NEOSERVE_WEBHOOK_SECRET" in refusal(client, webhook=URL)["webhook"]
        refused = client.post("/batches", json={"requests": [{"text": "one"}], "webhook": URL})
        assert refused.status_code == 422
        assert store.num_queued() == 0

    def test_all_else_goes_on(self, client: FlaskClient) -> None:
        assert submit(client).status_code == 202
