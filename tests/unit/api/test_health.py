"""GET /health."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.errors import StoreBroken, StoreUnavailable
from tasks.jobs.fleet import Fleet
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.job_steps import submit
from tests.pace import set_pace
from tests.unit.api.fakes import MODEL, FakeWorker, LocalListener


def health(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json is not None
    return answer.json


def test_a_fleet_that_waits_for_work_is_fine_and_expects_no_wait(client: FlaskClient) -> None:
    fleet = health(client)
    assert (fleet["status"], fleet["reasons"]) == ("ok", [])
    (model,) = fleet["models"]
    assert model["estimated_wait_s"] == {"high": 0, "normal": 0, "low": 0}
    assert (model["workers"], model["slots"], model["jobs"]) == (1, 4, 0)


def test_without_a_worker_it_answers_and_says_so(bare_app: Flask) -> None:
    fleet = health(bare_app.test_client())
    assert (fleet["status"], fleet["reasons"]) == ("degraded", ["no_worker"])


def test_jobs_are_counted_by_state_and_priority(
    client: FlaskClient, store: JobStore, worker: FakeWorker
) -> None:
    for priority in ("high", "high", "high", "low", "normal"):
        assert client.post("/jobs", json={"text": "Hello", "priority": priority}).status_code == 202
    worker.finish(worker.claim())
    worker.start(worker.claim())
    worker.claim()
    set_pace(store, 10)

    fleet = health(client)

    assert fleet["jobs"] == {
        "queued": 3,
        "running": 1,
        "succeeded": 1,
        "failed": 0,
        "canceled": 0,
        "expired": 0,
    }
    assert fleet["queue"]["depth"] == 2
    (model,) = fleet["models"]
    assert (model["model"], model["tokens_per_s"]) == (MODEL, 10)
    assert sum(model["queued"].values()) == 2
    assert model["estimated_wait_s"]["high"] > 0
    held = {each["id"]: (each["jobs"], each["running"]) for each in fleet["workers"]}
    assert (2, 1) in held.values()


def test_a_queue_that_is_full_and_a_model_that_nobody_serves_are_reasons(
    settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    for _ in range(settings.max_queued):
        submit(store)
    fleet = health(create_app(settings, store=store, ring=ring, listener=listener).test_client())
    assert fleet["reasons"] == ["no_worker", "model_without_worker", "queue_full"]
    assert [model["fingerprint"] for model in fleet["models"]] == [FINGERPRINT]
    assert fleet["models"][0]["estimated_wait_s"] == {"high": None, "normal": None, "low": None}


@pytest.mark.parametrize("error", [StoreUnavailable, StoreBroken])
def test_without_the_store_it_is_a_503(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: type[StoreUnavailable]
) -> None:
    from api.service import EXTENSION

    def away() -> Fleet:
        raise error("redis://secret-host")

    recent = client.application.extensions[EXTENSION].fleet
    monkeypatch.setattr(recent, "_fetch", away)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == error.code
    assert "secret-host" not in answer.text
