"""What a waiting call asks the store, and that it misses no end."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.models import JobStatus, NewJob, Row
from tasks.jobs.protocol import Submitted
from tasks.jobs.ring import RecordingRing
from tasks.jobs.script import Scripts
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import FakeWorker, LocalListener, LocalWaiter, register_test_model
from tests.waiting import wait_until

BODY = {"text": "Hello, world!"}
WAIT = "/predict?wait=60"
ROW = Row(text=" And so on.", finish_reason="length", num_tokens=3)


class QuickStore(JobStore):
    """Each job has ended before its submit returns."""

    def __init__(self, store: JobStore, worker: FakeWorker) -> None:
        super().__init__(store.client, store.namespace)
        self._worker = worker

    def submit(self, new: NewJob, **options: Any) -> Submitted:
        submitted = super().submit(new, **options)
        self._worker.finish(self._worker.claim())
        return submitted


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


def test_a_waiting_call_that_is_told_no_more_than_the_end_asks_the_store_twice(
    store: JobStore, worker: FakeWorker, ring: RecordingRing, listener: LocalListener, asked: list[str]
) -> None:
    register_test_model(store)
    app = create_app(ApiSettings(), store=QuickStore(store, worker), ring=ring, listener=listener)
    app.test_client().post(WAIT, json=BODY)
    asked.clear()

    answer = app.test_client().post(WAIT, json=BODY)

    assert answer.status_code == 200
    assert [name for name in asked if name not in ("claim", "finish")] == ["submit", "get"]


def test_a_waiting_call_that_is_told_how_its_job_ended_asks_the_store_no_more(
    store: JobStore, client: FlaskClient, worker: FakeWorker, listener: LocalListener, asked: list[str]
) -> None:
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(client.post(WAIT, json=BODY)))
    thread.start()
    wait_until(lambda: listener.num_waiters == 1, "the call waits")
    job = worker.claim().job
    store.cancel(job.id)
    ended = dataclasses.replace(job, status=JobStatus.SUCCEEDED, rows=(ROW,))
    asked.clear()

    listener.wake(job.id, ended)
    thread.join(10)

    assert asked == []
    assert answers[0].status_code == 200
    assert answers[0].json is not None
    assert answers[0].json["result"][0]["generated_text"] == BODY["text"] + ROW.text


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
