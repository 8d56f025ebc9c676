"""Containers die under load, and every job that was accepted is there and done."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import wait_until

from .container import Container
from .engine import Compose, Engine
from .stacks import API, crash, get, overridden, run_load, wait_healthy

NUMBER = 40
SERVICES = ("api", "worker", "redis")

#: Redis that writes nothing down.
FORGETFUL = {"command": ["redis-server", "--appendonly", "no", "--save", ""]}


@pytest.fixture
def stack(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Compose]:
    stack = overridden(engine, tmp_path, redis=getattr(request, "param", {}))
    try:
        stack.up(*SERVICES, options=("--scale", "worker=2"))
        wait_healthy(stack, "worker", 2)
        yield stack
    finally:
        stack.down()


def jobs(stack: Compose, status: str) -> int:
    return len(get(stack.engine, f"{API}/jobs?limit=100&status={status}")["jobs"])


def restart_redis(stack: Compose) -> None:
    [redis] = stack.containers("redis")
    stack.engine.docker("kill", "--signal", "KILL", redis)
    stack.engine.docker("start", redis)


def count_after(stack: Compose, *faults: str) -> dict[str, int]:
    """What a client counts that submits and waits, while these happen one after another."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(run_load, stack.engine, NUMBER)
        wait_until(lambda: load.done() or jobs(stack, "running") > 0, "jobs run", seconds=60)
        for fault in faults:
            if fault == "worker":
                crash(Container(stack.engine, stack.containers("worker")[0]), "celery")
            elif fault == "stop":
                stack.engine.docker("stop", stack.containers("worker")[0], timeout=60)
            else:
                restart_redis(stack)
        return load.result(timeout=200)


def test_a_worker_and_redis_die_and_nothing_is_lost_or_done_twice(stack: Compose) -> None:
    counted = count_after(stack, "worker", "redis")
    assert counted == {
        "accepted": NUMBER, "succeeded": NUMBER, "lost": 0, "ended_otherwise": 0, "doubled": 0
    }  # fmt: skip
    # Docker starts again what died.
    wait_healthy(stack, "worker", 2)


def test_a_worker_that_is_told_to_stop_hands_back_what_it_does_not_finish(stack: Compose) -> None:
    counted = count_after(stack, "stop")
    assert (counted["succeeded"], counted["lost"], counted["doubled"]) == (NUMBER, 0, 0)
    codes = {stack.engine.inspect(each)["State"]["ExitCode"] for each in stack.containers("worker")}
    assert codes == {0}


@pytest.mark.parametrize("stack", [FORGETFUL], indirect=True)
def test_without_the_append_only_file_the_same_count_finds_what_is_lost(stack: Compose) -> None:
    assert count_after(stack, "redis")["lost"] > 0
