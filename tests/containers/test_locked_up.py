"""Each image alone, without rights and with a root that cannot be written to."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest

from tests.waiting import wait_until

from .command import CommandFailed
from .container import Container, running
from .engine import Compose, Engine

#: More than either takes by its own settings.
GRACE_SECONDS = 40

SETTINGS = ("--env", "REDIS_URL=redis://redis:6379/0", "--env", "NEOSERVE_INSECURE=1")


@pytest.fixture(scope="module")
def network(engine: Engine) -> Iterator[str]:
    """One with a Redis, under the name that the images are told."""
    stack = Compose(engine)
    try:
        stack.up("redis")
        yield f"{stack.project}_jobs"
    finally:
        stack.down()


@pytest.fixture(scope="module", params=["api", "worker"])
def container(
    request: pytest.FixtureRequest, engine: Engine, images: dict[str, str], network: str
) -> Iterator[Container]:
    """One of each image for all tests here."""
    options = (*SETTINGS, "--health-interval", "1s")
    with running(engine, images[request.param], *options, network=network) as container:
        yield container


def test_its_health_check_finds_it_healthy(container: Container, engine: Engine) -> None:
    """And how long it took is told."""
    started = monotonic()
    container.wait("healthy")
    name = engine.inspect(container.name)["Config"]["Image"]
    engine.figures.append(f"{name}: healthy {monotonic() - started:.1f} s after its start")


def test_nobody_inside_is_root_or_may_become_it(container: Container) -> None:
    for process in container.processes():
        assert process["Uid"].split() == ["10001"] * 4
        assert int(process["CapEff"], 16) == int(process["CapBnd"], 16) == 0
        assert process["NoNewPrivs"] == "1"


def test_only_the_temporary_folder_can_be_written_to(container: Container) -> None:
    container.exec("touch", "/tmp/anything")
    for place in ("/", "/app", "/opt/venv", "/var/tmp"):
        with pytest.raises(CommandFailed, match="Read-only file system"):
            container.exec("touch", f"{place}/anything")


def test_the_init_process_reaps_what_others_leave_behind(container: Container) -> None:
    def orphans() -> list[dict[str, str]]:
        return [each for each in container.processes() if each["Name"] == "sleep"]

    [init] = [each for each in container.processes() if each["Pid"] == "1"]
    assert init["Name"] == "tini"
    container.exec("bash", "-c", "sleep 2 <&- &>/dev/null & disown")
    assert [each["PPid"] for each in orphans()] == ["1"]
    wait_until(lambda: not orphans(), "it has ended, and is no zombie")


def test_health_checks_leave_no_zombies(container: Container, engine: Engine) -> None:
    def checks() -> int:
        """The engine keeps the last five."""
        return len(engine.inspect(container.name)["State"]["Health"]["Log"])

    wait_until(lambda: checks() == 5, "some have run", seconds=60)
    assert [each for each in container.processes() if each["State"].startswith("Z")] == []


def test_it_ends_in_time_when_it_is_told_to(container: Container, engine: Engine) -> None:
    """The last one here, then: nothing is left to look at."""
    started = monotonic()
    assert container.stop(GRACE_SECONDS) == 0, container.logs()
    name = engine.inspect(container.name)["Config"]["Image"]
    engine.figures.append(f"{name}: ended {monotonic() - started:.1f} s after SIGTERM")


def test_a_worker_that_stands_still_turns_unhealthy(
    engine: Engine, images: dict[str, str], network: str
) -> None:
    options = (*SETTINGS, "--health-interval", "1s", "--health-retries", "1")
    with running(engine, images["worker"], *options, network=network) as container:
        container.wait("healthy")
        [celery] = [each["Pid"] for each in container.processes() if each["Name"] == "celery"]
        container.exec("bash", "-c", f"kill -STOP {celery} && echo ready 0 >/tmp/neoserve-worker")
        container.wait("unhealthy")
