"""A child of `neoserve up` that dies is reported, started again, and missed by nobody."""

from __future__ import annotations

import os
import signal

import httpx
import pytest

from tests.e2e.conftest import SCRIPTED, Up
from tests.e2e.terminal import get_job, neoserve, submit
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def model_options() -> tuple[str, ...]:
    return ("--model", SCRIPTED)


def assert_nobody_notices(stack: Up, earlier: str) -> None:
    result = neoserve("predict", "Hello", "--max-new-tokens", 5, "--url", stack.url)
    assert result.returncode == 0, (result.stderr, stack.terminal.output())
    assert get_job(stack.url, earlier)["status"] == "succeeded"
    assert stack.terminal.process.poll() is None


@pytest.fixture
def earlier(stack: Up) -> str:
    """A job that was done before anything died."""
    job_id = submit(stack.url, max_new_tokens=5)
    assert get_job(stack.url, job_id, wait=30)["status"] == "succeeded"
    return job_id


@pytest.fixture(scope="module")
def model_environ() -> dict[str, str]:
    return {"NEOSERVE_GRACE_SECONDS": "1"}


@pytest.mark.parametrize(
    ("child", "command"), [("worker", "tasks.worker.app worker"), ("api", "api.app:from_environment")]
)
def test_a_killed_child_is_reported_in_one_line_and_started_again(
    child: str, command: str, stack: Up, earlier: str
) -> None:
    ready = f"{child} ready: "
    starts = stack.terminal.output().count(ready)
    pid = stack.terminal.pid_of(command)
    os.kill(pid, signal.SIGKILL)
    stack.terminal.wait_for(rf"^neoserve +{child} was ended by SIGKILL.*; starting it again in .* s$")
    stack.terminal.wait_for(ready, times=starts + 1)
    assert_nobody_notices(stack, earlier)
    assert stack.terminal.pid_of(command) != pid


def test_a_killed_server_is_reported_started_again_and_remembers(stack: Up, earlier: str) -> None:
    pid = stack.server_pid()
    os.kill(pid, signal.SIGKILL)
    stack.terminal.wait_for(r"^neoserve +server was ended by SIGKILL.*; starting it again in .* s$")
    wait_until(lambda: httpx.get(f"{stack.url}/jobs/{earlier}").status_code == 200, "the server is back")
    assert_nobody_notices(stack, earlier)
    assert stack.server_pid() != pid


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(stack: Up, earlier: str) -> None:
    """Stopped by a signal, it neither writes its health file nor ends when it is asked to."""
    starts = stack.terminal.output().count("worker ready: ")
    pid = stack.terminal.pid_of("tasks.worker.app worker")
    os.kill(pid, signal.SIGSTOP)
    stack.terminal.wait_for(r"^neoserve +worker makes no progress; another takes its place$")
    stack.terminal.wait_for(r"^neoserve +worker was ended by SIGKILL.*; starting it again in .* s$")
    stack.terminal.wait_for("worker ready: ", times=starts + 1)
    assert_nobody_notices(stack, earlier)
