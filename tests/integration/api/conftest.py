from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.services import RealServer
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
