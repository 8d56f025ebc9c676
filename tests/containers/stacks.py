"""The compose stack with what a test changes, in an override file as anybody would write it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.waiting import wait_until

from .container import Container
from .engine import ROOT, Compose, Engine

COMPOSE = ROOT / "docker-compose.yml"
API = "http://127.0.0.1:8080"


def overridden(engine: Engine, folder: Path, **services: Any) -> Compose:
    """The project's file, and over it these services."""
    override = folder / "override.yml"
    override.write_text(yaml.safe_dump({"services": services}))
    return Compose(engine, files=(COMPOSE, override))


def get(engine: Engine, url: str) -> Any:
    """The JSON behind an address of a published port."""
    return json.loads(engine.on_host("curl", "--silent", "--show-error", "--fail", "--globoff", url))


def run_load(engine: Engine, number: int) -> dict[str, int]:
    """Of load.py, where the published ports are."""
    command = (sys.executable, "-m", "tests.containers.load", API, str(number))
    found: dict[str, int] = json.loads(engine.on_host(*command, timeout=180))
    return found


def crash(container: Container, name: str) -> None:
    """End the process of that name as the kernel does when memory is short; its init process sees that."""
    [oldest, *_] = sorted(int(each["Pid"]) for each in container.processes() if each["Name"] == name)
    container.exec("bash", "-c", f"kill -KILL {oldest}")


def all_healthy(stack: Compose, service: str, number: int) -> bool:
    found = stack.containers(service)
    return len(found) == number and all(Container(stack.engine, each).health == "healthy" for each in found)


def wait_healthy(stack: Compose, service: str, number: int = 1) -> None:
    wait_until(lambda: all_healthy(stack, service, number), f"{number} {service} healthy", seconds=90)
