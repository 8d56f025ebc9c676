"""docker-compose.yml as a newcomer starts it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.unit.deploy.files import load
from tests.waiting import wait_until

from .container import Container
from .engine import ROOT, Compose, Engine
from .stacks import API, get, wait_healthy


@pytest.fixture(scope="module")
def up(engine: Engine) -> Iterator[Compose]:
    stack = Compose(engine)
    try:
        started = monotonic()
        stack.up()
        engine.figures.append(f"compose stack: up and healthy {monotonic() - started:.1f} s after its start")
        yield stack
    finally:
        stack.down()


def test_the_command_of_the_readme_gets_a_prediction(up: Compose) -> None:
    [command] = re.findall(
        r"^\$ (curl .*/predict)$", (ROOT / "docs/deployment.md").read_text(), re.MULTILINE
    )[:1]
    job = json.loads(up.engine.on_host(*shlex.split(command), "--silent", timeout=60))
    assert job["status"] == "succeeded"
    assert job["result"][0]["generated_text"].startswith("Hello, world!")


def test_every_service_is_up_and_those_with_a_check_are_healthy(up: Compose) -> None:
    for service in load("docker-compose.yml")["services"]:
        [container] = up.containers(service)
        state = up.engine.inspect(container)["State"]
        assert state["Running"], service
        assert state.get("Health", {"Status": "healthy"})["Status"] == "healthy", service


def test_every_container_is_locked_up(up: Compose) -> None:
    for service in load("docker-compose.yml")["services"]:
        [container] = up.containers(service)
        host = up.engine.inspect(container)["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        [user] = set(
            up.engine.docker("exec", container, "cat", "/proc/1/status").split("Uid:")[1].split()[:4]
        )
        assert int(user) > 0, service


def test_prometheus_finds_everything_that_it_is_to_watch(up: Compose) -> None:
    jobs = {each["job_name"] for each in load("prometheus.yml")["scrape_configs"]}

    def watched() -> set[str]:
        targets = get(up.engine, "http://127.0.0.1:9090/api/v1/targets")["data"]["activeTargets"]
        return {each["labels"]["job"] for each in targets if each["health"] == "up"}

    wait_until(lambda: watched() == jobs, "all targets are up", seconds=60)


def test_more_workers_are_ready_and_watched(up: Compose) -> None:
    up.up("worker", options=("--scale", "worker=2"))
    wait_healthy(up, "worker", 2)
    wait_until(lambda: len(get(up.engine, f"{API}/health")["workers"]) == 2, "both are known", seconds=30)

    def watched() -> int:
        found = get(up.engine, "http://127.0.0.1:9090/api/v1/query?query=sum(up{job='worker'})")
        return sum(int(each["value"][1]) for each in found["data"]["result"])

    wait_until(lambda: watched() == 2, "Prometheus watches both", seconds=60)


def test_nothing_is_left_behind_in_any_container_of_ours(up: Compose) -> None:
    for service in ("api", "worker"):
        for container in up.containers(service):
            states = {each["State"][0] for each in Container(up.engine, container).processes()}
            assert "Z" not in states


def test_jobs_survive_down_and_up(up: Compose) -> None:
    body = json.dumps({"text": "Once upon a time", "seed": 7})
    submit = ("curl", "-sS", "-H", "Content-Type: application/json", "-d", body, f"{API}/predict")
    job = json.loads(up.engine.on_host(*submit))
    assert job["status"] == "succeeded"

    up("down", timeout=180)
    assert not up.containers("redis")
    up.up("api", "worker", "redis")

    assert get(up.engine, f"{API}/jobs/{job['id']}")["result"] == job["result"]
