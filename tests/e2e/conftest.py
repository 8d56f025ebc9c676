"""Real `neoserve up`, on free ports and data folders of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.data_folder import DataFolder
from tests.e2e.deployment import Deployment
from tests.e2e.terminal import Terminal
from tests.services import free_port

#: A test double in place of the model, where a test is about processes and not about texts.
SCRIPTED = "scripted"


@dataclass(frozen=True, kw_only=True)
class Up:
    """A `neoserve up` that was started."""

    terminal: Terminal
    port: int
    data: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        self.terminal.wait_for(r"ready on http")

    def server_pid(self) -> int:
        """The embedded server, known by the folder it runs in."""
        found = [each for each in Path("/proc").glob("[0-9]*") if readlink(each / "cwd") == self.data]
        assert len(found) == 1, found
        return int(found[0].name)

    def wait_until_nothing_is_left(self) -> None:
        """No process, and the lock of the data folder free: the server inherits it, as all the others do."""
        self.terminal.wait_until_nothing_is_left()
        folder = DataFolder(self.data)
        folder.lock()
        folder.release()


def readlink(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:  # it has just ended
        return None


StartUp = Callable[..., Up]


class Ups:
    """Starts them and leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._terminals: list[Terminal] = []

    def start(self, *options: object, data: Path | None = None, **environ: str) -> Up:
        port = free_port()
        data = data or self._folder / f"data-{port}"
        # Metrics off: tests run beside each other's servers, and beside yours.
        environ = {"NEOSERVE_METRICS_PORT": "0", "NEOSERVE_WORKER_METRICS_PORT": "0", **environ}
        terminal = Terminal(self._folder, "up", "--port", port, "--data", data, *options, **environ)
        self._terminals.append(terminal)
        return Up(terminal=terminal, port=port, data=data)

    def end(self) -> None:
        for terminal in self._terminals:
            terminal.kill_everything()


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[StartUp]:
    ups = Ups(tmp_path)
    yield ups.start
    ups.end()


@pytest.fixture(scope="module")
def model_options() -> tuple[str, ...]:
    """Of `neoserve up`. None: the shipped model, as a user starts it."""
    return ()


@pytest.fixture(scope="module")
def model_environ() -> dict[str, str]:
    """Settings of its processes. None: as a user starts it."""
    return {}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, model_options: tuple[str, ...], model_environ: dict[str, str]
) -> Iterator[Up]:
    """A `neoserve up` that the tests of a module share."""
    ups = Ups(tmp_path_factory.mktemp("up"))
    up = ups.start(*model_options, **model_environ)
    try:
        up.wait_until_ready()
        yield up
    finally:
        ups.end()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    deployment.start()
    yield deployment
    deployment.stop()


@pytest.fixture
def deployment(processes: Deployment) -> Deployment:
    """Two API processes, two workers and a server that the tests of a module share. What one ended is there
    again for the next."""
    processes.repair()
    return processes
