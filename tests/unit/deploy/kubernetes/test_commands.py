"""What a cluster runs exists in our code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.deploy.files import ROOT, final_stage

from .cluster import Cluster, containers
from .rendering import BASE, every_kustomization, rendered

#: Of the image's system.
SYSTEM = {"bash", "python", "sleep"}


def of_image(part: str) -> list[str]:
    [command] = [json.loads(rest) for word, rest in final_stage(part) if word == "CMD"]
    return [str(each) for each in command]


def commands(container: dict[str, Any]) -> Iterator[list[str]]:
    """The process, what its probes run, and what runs before it stops."""
    yield container.get("command") or container.get("args") or of_image(container["name"])
    hooks = [value for key, value in container.items() if key.endswith("Probe")]
    hooks += container.get("lifecycle", {}).values()
    yield from (each["exec"]["command"] for each in hooks if "exec" in each)


def complaints(cluster: Cluster) -> list[str]:
    scripts = SYSTEM | {each.name for each in entry_points(group="console_scripts")}
    found = []
    for name, container in containers(cluster):
        if "neoserve-" not in container["image"]:
            continue
        for command in commands(container):
            modules = [after for word, after in pairwise(command) if word in ("-m", "-A")]
            files = [after for word, after in pairwise(command) if word == "bash"]
            there = all(map(find_spec, modules)) and all((ROOT / file).is_file() for file in files)
            if command[0] not in scripts or not there:
                found.append(f"{name}: {command}")
    return found


@every_kustomization
def test_every_command_of_ours_exists(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("args", ["celeri", "-A", "tasks.worker.app", "worker"]),
        ("args", ["celery", "-A", "tasks.workers", "worker"]),
        ("livenessProbe/exec/command", ["bash", "tasks/worker/probes.sh", "live"]),
        ("lifecycle", {"preStop": {"exec": {"command": ["slep", "5"]}}}),
    ],
)
def test_one_that_does_not_is_found(path: str, value: object) -> None:
    where = f"spec/template/spec/containers/0/{path}"
    assert complaints(rendered(BASE).changed("Deployment/worker", where, value))


@every_kustomization
def test_a_worker_runs_as_its_image_would_and_tells_the_exporter_of_its_tasks(folder: str) -> None:
    for name, container in containers(rendered(folder)):
        if name == "Deployment/worker/worker":
            assert container["args"] == [*of_image("worker"), "--task-events"]
        if name == "Deployment/api/api":
            assert not container.keys() & {"args", "command"}
