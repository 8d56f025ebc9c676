"""Fixtures that all tests share: a clean environment, a real server, a store on either kind of server."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis

from tasks.jobs.batch_store import BatchStore
from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.services import RealServer, required_valkey


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a deployment configured; no test may reach it."""
    for name in list(os.environ):
        if name == "REDIS_URL" or name.startswith("NEOSERVE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    server = RealServer(required_valkey(), tmp_path_factory.mktemp("valkey"), "--appendonly", "no")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RealServer]:
    """A server of the test's own, which it may stop and freeze."""
    server = RealServer(required_valkey(), tmp_path, "--appendonly", "yes")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(session_server: RealServer) -> str:
    """Address of a real server that holds nothing."""
    with connect(session_server.url, max_connections=1) as client:
        client.flushall()
    return session_server.url


@pytest.fixture
def real_client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


def pytest_configure() -> None:
    # A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # What is imported stays until the end. The garbage collector would look through all of it, torch and
    # transformers too, some hundred times: a tenth of the time of all unit tests.
    gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`store` is on fakeredis in tests/unit and on a real server elsewhere: the same tests fit both."""
    if "store_backend" in metafunc.fixturenames:
        unit = "unit" in metafunc.definition.path.parts
        metafunc.parametrize("store_backend", ["fakeredis" if unit else "valkey"])


@pytest.fixture
def store_client(store_backend: str, request: pytest.FixtureRequest) -> redis.Redis:
    if store_backend == "fakeredis":
        return fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    client: redis.Redis = request.getfixturevalue("real_client")
    return client


@pytest.fixture
def store(store_client: redis.Redis) -> JobStore:
    return JobStore(store_client)


@pytest.fixture
def batches(store: JobStore) -> BatchStore:
    return BatchStore(store.client, store.namespace)
