"""`neoserve api` and two `neoserve worker` on one server: they share the work, and one may die."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.terminal import Terminal, get_job, submit
from tests.services import free_port
from tests.waiting import wait_until

#: Jobs that one worker holds at a time: few, so that both are needed.
BATCH = 2
NUM_JOBS = 2 * BATCH
NUM_TOKENS = 300

Terminals = tuple[str, list[Terminal]]


@pytest.fixture
def fleet(redis_url: str, tmp_path: Path) -> Iterator[Terminals]:
    """The API's address and the terminals of two workers, all ready."""
    environ = {
        "REDIS_URL": redis_url,
        "NEOSERVE_MODEL": "scripted:0.02",
        "NEOSERVE_MAX_BATCH_SIZE": str(BATCH),
        "NEOSERVE_METRICS_PORT": "0",
        "NEOSERVE_WORKER_METRICS_PORT": "0",
    }
    port = free_port()
    api = Terminal(tmp_path, "api", "--port", port, **environ)
    workers = [Terminal(tmp_path, "worker", **environ) for _ in range(2)]
    try:
        api.wait_for("^api ready: ")
        for worker in workers:
            worker.wait_for("^worker ready: ")
        yield f"http://127.0.0.1:{port}", workers
    finally:
        for terminal in (api, *workers):
            terminal.kill_everything()


def statuses(url: str, jobs: list[str]) -> list[str]:
    return [get_job(url, job_id)["status"] for job_id in jobs]


def submit_and_wait_until_running(url: str) -> list[str]:
    jobs = [
        submit(url, f"Job {number}", max_new_tokens=NUM_TOKENS, seed=number) for number in range(NUM_JOBS)
    ]
    wait_until(lambda: set(statuses(url, jobs)) == {"running"}, "both workers are full", seconds=20)
    return jobs


def test_two_workers_share_the_work(fleet: Terminals) -> None:
    url, workers = fleet
    jobs = submit_and_wait_until_running(url)
    assert {get_job(url, job_id, wait=30)["status"] for job_id in jobs} == {"succeeded"}
    for worker in workers:
        assert worker.output().count("outcome=succeeded") == BATCH


@pytest.mark.slow  # A lease takes ten seconds here, as it does for a user; test_streams.py has a shorter one.
def test_the_jobs_of_a_killed_worker_are_finished_by_the_other(fleet: Terminals) -> None:
    url, (killed, other) = fleet
    jobs = submit_and_wait_until_running(url)
    killed.process.kill()
    # The other finishes its own first; until a lease has run out, the lost ones are shown as running.
    wait_until(lambda: statuses(url, jobs).count("succeeded") == BATCH, "half of the jobs end", seconds=20)
    lost = [job_id for job_id in jobs if get_job(url, job_id)["status"] == "running"]
    assert len(lost) == BATCH
    assert httpx.get(f"{url}/healthz").status_code == 200
    for job_id in jobs:
        job = get_job(url, job_id, wait=40)
        assert (job["status"], job["usage"]["completion_tokens"]) == ("succeeded", NUM_TOKENS)
        assert job["attempt"] == (2 if job_id in lost else 1)
    assert other.output().count("outcome=succeeded") == NUM_JOBS


def test_a_worker_that_is_asked_to_end_finishes_what_it_runs(fleet: Terminals) -> None:
    url, workers = fleet
    jobs = submit_and_wait_until_running(url)
    assert [worker.end(signal.SIGTERM) for worker in workers] == [0, 0]
    assert [get_job(url, job_id)["attempt"] for job_id in jobs] == [1] * NUM_JOBS
    assert set(statuses(url, jobs)) == {"succeeded"}
