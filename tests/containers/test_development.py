"""docker-compose.dev.yml: the code is that of the folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

from .command import CommandFailed, run
from .engine import ROOT, Compose, Engine
from .stacks import API, get


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What compose needs of this repository, where a test may change it."""
    folder = tmp_path / "checkout"
    names = run("git", "ls-files", "api", "tasks", "k8s/base", "*.yml", cwd=ROOT).split()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    run("chmod", "-R", "a+rX", str(tmp_path))
    return folder


@pytest.fixture
def stack(engine: Engine, checkout: Path) -> Iterator[Compose]:
    files = (checkout / "docker-compose.yml", checkout / "docker-compose.dev.yml")
    stack = Compose(engine, files=files)
    try:
        stack.up("api", "worker", "redis")
        yield stack
    finally:
        stack.down()


def test_the_api_serves_a_change_at_once_and_the_worker_after_a_restart(
    stack: Compose, checkout: Path
) -> None:
    assert get(stack.engine, API)["name"] == "neoserve"
    change(checkout / "api/page_routes.py", '"name": "neoserve"', '"name": "changed"')
    change(checkout / "tasks/worker/lifecycle.py", "is warm after", "is hot after")

    def served() -> str:
        try:
            return str(get(stack.engine, API)["name"])
        except CommandFailed:  # While it begins anew.
            return ""

    wait_until(lambda: served() == "changed", "the API serves the change", seconds=30)
    stack("restart", "worker")
    wait_until(lambda: "is hot after" in stack("logs", "worker"), "the worker runs the change", seconds=60)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
