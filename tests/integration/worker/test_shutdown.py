"""How a real worker leaves: by SIGTERM, by SIGHUP, by kill -9, and what its jobs learn of it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from celery import Celery

from tests.integration.worker.processes import FRAGILE_APP, SHORT_LEASE, Fleet
from tests.services import RealServer
from tests.waiting import wait_until

SLOW = "scripted:0.05"  # 20 tokens a second.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_what_runs_is_finished_and_nothing_else_is_begun(fleet: Fleet, number: signal.Signals) -> None:
    worker = fleet.start_ready(NEOSERVE_MODEL=SLOW, NEOSERVE_MAX_BATCH_SIZE="2")
    for name in ("a", "b", "waiting"):
        fleet.submit(name, num_tokens=20)
    fleet.wait_status("a", "running")
    fleet.wait_status("b", "running")
    worker.signal(number)
    assert worker.wait(10) == 0
    assert worker.ended_jobs() == {"a": "succeeded", "b": "succeeded"}
    assert fleet.store.get("waiting").attempt == 0


def test_what_does_not_finish_within_the_grace_period_goes_to_another_worker(fleet: Fleet) -> None:
    leaving = fleet.start_ready(NEOSERVE_MODEL=SLOW, NEOSERVE_GRACE_SECONDS="2")
    fleet.submit("long", num_tokens=1000)
    fleet.wait_status("long", "running")
    started = time.monotonic()
    for _ in range(3):  # Impatient operators send more than one.
        leaving.signal(signal.SIGTERM)
    assert leaving.wait(10) == 0
    assert time.monotonic() - started < 4
    assert leaving.ended_jobs() == {"long": "handed_back"}
    assert fleet.ring.pending() == 1, "the others would only learn of it from the reaper"
    fleet.start_ready()
    job = fleet.wait_status("long", "succeeded")
    assert (job.attempt, job.losses) == (2, 0)


def test_a_worker_that_is_shut_down_by_remote_control_keeps_to_its_grace_period(fleet: Fleet) -> None:
    worker = fleet.start_ready(NEOSERVE_MODEL=SLOW, NEOSERVE_GRACE_SECONDS="2")
    fleet.submit("long", num_tokens=2000)
    fleet.wait_status("long", "running")
    with Celery(broker=fleet.url) as remote:
        remote.control.shutdown()
    assert worker.wait(10) == 0
    assert worker.ended_jobs() == {"long": "handed_back"}
    assert fleet.store.get("long").position == 1


def test_a_restart_of_the_server_costs_no_running_job(own_server: RealServer, tmp_path: Path) -> None:
    fleet = Fleet(own_server.url, tmp_path)
    try:
        worker = fleet.start_ready(NEOSERVE_MODEL=SLOW)
        fleet.submit("j", num_tokens=60)
        fleet.wait_status("j", "running")
        own_server.stop()
        wait_until(lambda: "does not answer" in worker.err, "the worker misses the server")
        own_server.start()
        job = fleet.wait_status("j", "succeeded")
        assert (job.attempt, job.losses, job.num_tokens) == (1, 0, 60)
        fleet.submit("next")
        fleet.wait_status("next", "succeeded")
    finally:
        fleet.close()


def test_a_killed_workers_jobs_are_never_shown_as_finished_and_are_finished_by_the_other(
    fleet: Fleet,
) -> None:
    settings = {"NEOSERVE_MAX_BATCH_SIZE": "4", **SHORT_LEASE}
    victim = fleet.start_ready(app=FRAGILE_APP, NEOSERVE_MODEL=SLOW, **settings)
    names = [f"j{number}" for number in range(4)]
    for name in names:
        fleet.submit(name, num_tokens=100)
    for name in names:
        fleet.wait_status(name, "running")
    other = fleet.start_ready(app=FRAGILE_APP, **settings)
    victim.signal(signal.SIGKILL)
    victim.wait()
    seen: set[str] = set()

    def all_over() -> bool:
        jobs = [fleet.store.get(name) for name in names]
        seen.update(job.status for job in jobs if job.attempt == 1)
        return all(job.status.terminal for job in jobs)

    wait_until(all_over, "the other worker has finished the jobs", seconds=30)
    assert seen <= {"running", "queued"}
    for name in names:
        job = fleet.store.get(name)
        assert (job.status, job.attempt, job.losses) == ("succeeded", 2, 1)
    assert set(other.ended_jobs()) == set(names)


def test_two_workers_share_the_work(fleet: Fleet) -> None:
    workers = [fleet.start_ready(NEOSERVE_MODEL=SLOW, NEOSERVE_MAX_BATCH_SIZE="2") for _ in range(2)]
    for number in range(12):
        fleet.submit(f"j{number}", num_tokens=10)
    for number in range(12):
        assert fleet.wait_status(f"j{number}", "succeeded").attempt == 1
    shares = [len(worker.ended_jobs()) for worker in workers]
    assert sum(shares) == 12
    assert min(shares) >= 2
