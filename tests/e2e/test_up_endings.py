"""However `neoserve up` ends, no process is left and no job is lost."""

from __future__ import annotations

import signal

import pytest

from tasks.jobs.connection import connect
from tests.e2e.conftest import SCRIPTED, StartUp, Up
from tests.e2e.terminal import get_job, submit
from tests.waiting import wait_until


def wait_until_running(up: Up, job_id: str) -> None:
    wait_until(lambda: get_job(up.url, job_id)["status"] == "running", "the job runs", seconds=20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_lets_what_runs_finish_and_leaves_no_process(
    number: signal.Signals, start_up: StartUp
) -> None:
    up = start_up("--model", f"{SCRIPTED}:0.02")
    up.wait_until_ready()
    job_id = submit(up.url, max_new_tokens=100)
    wait_until_running(up, job_id)
    assert up.terminal.end(number) == 0
    assert "nothing is left running" in up.terminal.output()
    up.wait_until_nothing_is_left()

    again = start_up("--model", SCRIPTED, data=up.data)
    again.wait_until_ready()
    job = get_job(again.url, job_id)
    assert (job["status"], job["attempt"], job["usage"]["completion_tokens"]) == ("succeeded", 1, 100)


def test_a_second_ctrl_c_does_not_wait_for_what_runs(start_up: StartUp) -> None:
    up = start_up("--model", f"{SCRIPTED}:0.05")
    up.wait_until_ready()
    wait_until_running(up, submit(up.url, max_new_tokens=1000))
    up.terminal.process.send_signal(signal.SIGINT)
    up.terminal.wait_for("Ctrl-C again to hurry")
    # Far sooner than the 25 s that the worker has to finish.
    assert up.terminal.end(signal.SIGINT, seconds=15) == 0
    up.wait_until_nothing_is_left()


def test_a_kill_of_up_leaves_no_process_and_the_next_start_finishes_its_jobs(start_up: StartUp) -> None:
    up = start_up("--model", f"{SCRIPTED}:0.05", "--workers", 2)
    up.wait_until_ready()
    jobs = [submit(up.url, max_new_tokens=1000) for _ in range(3)]
    done = submit(up.url, max_new_tokens=1)
    assert get_job(up.url, done, wait=30)["status"] == "succeeded"
    wait_until_running(up, jobs[0])
    up.terminal.process.kill()
    up.wait_until_nothing_is_left()

    again = start_up("--model", SCRIPTED, data=up.data)
    again.wait_until_ready()
    assert get_job(again.url, done)["status"] == "succeeded"
    for job_id in jobs:
        job = get_job(again.url, job_id, wait=30)
        assert (job["status"], job["usage"]["completion_tokens"]) == ("succeeded", 1000)
        assert job["attempt"] == 2


def test_a_server_named_by_redis_url_is_used_and_left_alone(start_up: StartUp, redis_url: str) -> None:
    up = start_up("--model", SCRIPTED, REDIS_URL=redis_url)
    up.wait_until_ready()
    assert not up.data.exists()
    assert up.terminal.end(signal.SIGINT) == 0
    up.terminal.wait_until_nothing_is_left()
    with connect(redis_url, max_connections=1) as client:
        assert client.ping()


def test_a_stop_while_starting_leaves_no_process(start_up: StartUp) -> None:
    up = start_up("--model", SCRIPTED)
    up.terminal.wait_for("starting the API")
    assert up.terminal.end(signal.SIGINT) == 0
    up.wait_until_nothing_is_left()


def test_a_start_into_a_full_queue_serves_it(start_up: StartUp) -> None:
    slow = ("--model", f"{SCRIPTED}:0.05")
    up = start_up(*slow, NEOSERVE_MAX_BATCH_SIZE="1")
    up.wait_until_ready()
    jobs = [submit(up.url, max_new_tokens=1000) for _ in range(3)]
    wait_until_running(up, jobs[0])
    up.terminal.process.kill()
    up.wait_until_nothing_is_left()

    again = start_up(*slow, data=up.data, NEOSERVE_MAX_BATCH_SIZE="1", NEOSERVE_MAX_QUEUED="1")
    again.terminal.wait_for("no first prediction, the queue is full of earlier jobs: serving those")
    again.wait_until_ready()
    wait_until_running(again, jobs[1])
