"""What the worker says while its server is away."""

from __future__ import annotations

from pathlib import Path

from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.services import RealServer
from tests.waiting import wait_until


def test_a_server_that_is_late_and_then_lost_is_named_in_plain_words(
    own_server: RealServer, tmp_path: Path
) -> None:
    own_server.stop()
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
