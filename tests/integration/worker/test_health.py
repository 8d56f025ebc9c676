"""What the probes see of a real worker."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from celery import Celery

from tasks.jobs.names import QUEUE_NAME
from tasks.worker.health_file import VARIABLE
from tests.integration.worker.processes import FRAGILE_APP, QUICK, Fleet, WorkerProcess
from tests.probe import is_live, is_ready
from tests.services import RealServer
from tests.waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "health"


def test_a_worker_is_live_and_ready_then_drains_and_is_gone(fleet: Fleet, file: Path) -> None:
    file.write_text("ready 0\n")  # Of a predecessor that was killed.
    worker = fleet.start(app=FRAGILE_APP, **{VARIABLE: str(file), "NEOSERVE_MODEL": "scripted:0.05"})
    wait_until(lambda: not file.exists(), "the old file is gone while the model loads", seconds=30)
    assert not is_live(file)
    worker.wait_ready()
    wait_until(lambda: is_ready(file), "the probe finds it ready")
    assert is_live(file)
    fleet.submit("j", num_tokens=100)
    fleet.wait_status("j", "running")
    worker.signal(signal.SIGTERM)
    wait_until(lambda: not is_ready(file), "a worker that drains is not ready")
    assert is_live(file), "it finishes its jobs: no reason to kill it"
    assert worker.wait() == 0
    assert worker.ended_jobs() == {"j": "succeeded"}
    assert "health file at exit: True" in worker.err
    assert not file.exists()


@pytest.mark.slow
def test_a_worker_stays_live_while_its_server_is_away(
    own_server: RealServer, tmp_path: Path, file: Path
) -> None:
    own_server.stop()
    environment = {VARIABLE: str(file)}
    worker = WorkerProcess(own_server.url, tmp_path, "worker", *QUICK, app=FRAGILE_APP, **environment)

    def written_again() -> None:
        """More often than it would take to become not live."""
        for _ in range(6):
            before = file.stat().st_mtime
            wait_until(lambda before=before: file.stat().st_mtime > before, "the file is renewed")

    try:
        wait_until(file.exists, "it is live when its model is warm", seconds=30)
        written_again()
        assert not is_ready(file), "the server does not know it yet"
        own_server.start()
        worker.wait_ready()
        own_server.stop()
        wait_until(lambda: "does not answer" in worker.err, "it misses the server")
        written_again()
        assert "not live" not in worker.err
        own_server.start()
        wait_until(lambda: "Redis answers again" in worker.err, "it has found the server again")
        # Celery takes longer to come back than this worker's short patience lasts.
        wait_until(lambda: worker.err.count("not live") == worker.err.count("live again"), "live")
        written_again()
        assert is_ready(file)
    finally:
        worker.stop()


def test_a_worker_that_hears_no_ring_while_jobs_wait_is_not_live(fleet: Fleet, file: Path) -> None:
    worker = fleet.start_ready(app=FRAGILE_APP, **{VARIABLE: str(file)})
    with Celery(broker=fleet.url) as remote:
        # What a consumer does that has not noticed a new connection: everything else goes on.
        assert remote.control.cancel_consumer(QUEUE_NAME, reply=True, timeout=5, limit=1)
        fleet.submit("j")
        wait_until(
            lambda: "not live: jobs wait and no ring was heard" in worker.err, "it says so", seconds=20
        )
        file.write_text("ready 0\n")
        assert not is_live(file), "nobody renews the file"
        assert fleet.store.get("j").status == "queued"
        remote.control.add_consumer(QUEUE_NAME)
        fleet.wait_status("j", "succeeded")
        wait_until(lambda: "live again" in worker.err, "it is live again")
        assert is_live(file)
