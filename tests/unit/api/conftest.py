"""An API over fakeredis with one registered model, and a worker that does what a test says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.checked_app import CheckedFlask
from tests.unit.api.fakes import FakeWorker, LocalListener, Pair, register_test_model


@pytest.fixture(autouse=True)
def checked_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test is about, every answer is one that the OpenAPI document promises."""
    monkeypatch.setattr("api.app.Flask", CheckedFlask)


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings(sync_wait_seconds=0, max_queued=100)


@pytest.fixture
def ring() -> RecordingRing:
    return RecordingRing()


@pytest.fixture
def listener() -> LocalListener:
    return LocalListener()


@pytest.fixture
def bare_app(settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener) -> Flask:
    """Before any worker has ever registered."""
    return create_app(settings, store=store, ring=ring, listener=listener)


@pytest.fixture
def app(bare_app: Flask, store: JobStore) -> Flask:
    register_test_model(store)
    return bare_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def worker(store: JobStore, listener: LocalListener) -> Iterator[FakeWorker]:
    worker = FakeWorker(store, listener)
    yield worker
    worker.stop()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end of a connection, with a timeout as gunicorn gives it, and the client's."""
    with ExitStack() as ending:
        listener = ending.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = ending.enter_context(socket.create_connection(listener.getsockname()))
        server, _ = listener.accept()
        ending.enter_context(server)
        server.settimeout(30)
        yield server, client
