"""What a waiting call asks the store, and that it misses no end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.script import Scripts
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import FakeWorker, LocalListener, LocalWaiter, register_test_model

BODY = {"text": "Hello, world!"}
WAIT = "/predict?wait=60"


class ObeyedRing(RecordingRing):
    """The job has ended before the ring returns."""

    def __init__(self, worker: FakeWorker) -> None:
        super().__init__()
        self._worker = worker

    def ring(self, job_id: str) -> None:
        super().ring(job_id)
        self._worker.finish(self._worker.claim())


class LateListener(LocalListener):
    """Something happens just before it begins to watch."""

    def __init__(self) -> None:
        super().__init__()
        self.before_watch: Callable[[str], None] = lambda _: None

    @contextmanager
    def watch(self, job_id: str) -> Iterator[LocalWaiter]:
        self.before_watch(job_id)
        with super().watch(job_id) as waiter:
            yield waiter


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the scripts that have run, each a round trip."""
    names: list[str] = []
    run = Scripts.run

    def recorded(self: Scripts, name: str, *arguments: Any) -> Any:
        names.append(name)
        return run(self, name, *arguments)

    monkeypatch.setattr(Scripts, "run", recorded)
    return names


def test_a_waiting_call_asks_the_store_twice(
    store: JobStore, worker: FakeWorker, listener: LocalListener, asked: list[str]
) -> None:
    register_test_model(store)
    app = create_app(ApiSettings(), store=store, ring=ObeyedRing(worker), listener=listener)
    app.test_client().post(WAIT, json=BODY)
    asked.clear()

    answer = app.test_client().post(WAIT, json=BODY)

    assert answer.status_code == 200
    assert [name for name in asked if name not in ("claim", "finish")] == ["submit", "get"]


def test_an_older_job_that_ends_before_it_is_watched_is_not_missed(
    store: JobStore, worker: FakeWorker, ring: RecordingRing
) -> None:
    register_test_model(store)
    listener = LateListener()
    client = create_app(ApiSettings(), store=store, ring=ring, listener=listener).test_client()
    headers = {"Idempotency-Key": "k"}
    earlier = client.post("/jobs", json=BODY, headers=headers).json
    assert earlier is not None
    claim = worker.claim()

    def end_the_earlier(job_id: str) -> None:
        if job_id == earlier["id"]:
            worker.finish(claim)

    listener.before_watch = end_the_earlier
    answer = client.post(WAIT, json=BODY, headers=headers)

    assert answer.status_code == 200
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert answer.json is not None
    assert answer.json["id"] == earlier["id"]


def test_looking_at_a_job_asks_the_store_once(
    store: JobStore, ring: RecordingRing, listener: LocalListener, asked: list[str]
) -> None:
    register_test_model(store)
    client = create_app(ApiSettings(), store=store, ring=ring, listener=listener).test_client()
    job = client.post("/jobs", json=BODY).json
    assert job is not None
    asked.clear()

    assert client.get(job["urls"]["self"]).status_code == 200

    assert asked == ["get"]
