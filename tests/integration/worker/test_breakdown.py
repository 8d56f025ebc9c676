"""A real worker whose engine hangs or dies: another process takes its place, and its jobs are not lost."""

from __future__ import annotations

import pytest

from tasks.worker.breakdown import EXIT_BROKEN
from tests.integration.worker.fragile_model import BREAKS, HANGS, QUITS
from tests.integration.worker.processes import FRAGILE_APP, SHORT_LEASE, Fleet, WorkerProcess
from tests.waiting import wait_until


def start_fragile(fleet: Fleet) -> WorkerProcess:
    settings = {"NEOSERVE_STEP_LIMIT": "1", "NEOSERVE_MAX_BATCH_SIZE": "4", **SHORT_LEASE}
    return fleet.start_ready(app=FRAGILE_APP, **settings)


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (HANGS, "the engine has finished no step for 1 s, it is at threading.py"),
        pytest.param(BREAKS, "the engine thread died of RunnerBroken", marks=pytest.mark.slow),
        pytest.param(QUITS, "the engine thread died of SystemExit", marks=pytest.mark.slow),
    ],
)
def test_a_process_with_a_broken_engine_ends_and_its_job_is_run_by_another(
    fleet: Fleet, prompt: str, reason: str
) -> None:
    broken = start_fragile(fleet)
    fleet.submit("j", text=prompt)
    assert broken.wait() == EXIT_BROKEN
    assert broken.err.count(reason) == 1
    assert broken.ended_jobs() == {}
    fleet.start_ready(app="tests.faults.worker", FAULTS_TRACE=str(fleet.folder / "trace"), **SHORT_LEASE)
    job = fleet.wait_status("j", "succeeded", seconds=30)
    assert (job.attempt, job.losses) == (2, 1)


@pytest.mark.slow
def test_a_job_that_hangs_three_workers_fails_and_the_fourth_goes_on(fleet: Fleet) -> None:
    workers = [start_fragile(fleet) for _ in range(4)]
    fleet.submit("poison", text=HANGS)
    job = fleet.wait_status("poison", "failed", seconds=90)
    assert job.error is not None
    assert (job.error.code, job.losses) == ("worker_lost", 3)
    wait_until(lambda: num_running(workers) == 1, "three have ended")
    fleet.submit("good")
    fleet.wait_status("good", "succeeded")


def num_running(workers: list[WorkerProcess]) -> int:
    return sum(worker.process.poll() is None for worker in workers)
