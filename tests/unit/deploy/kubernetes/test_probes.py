"""Who is ready and who is restarted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.deploy.files import ROOT

from .cluster import NOTHING, Cluster, pod, staying
from .rendering import BASE, every_kustomization, rendered
from .served import app

HANDLERS = {"httpGet", "exec", "tcpSocket", "grpc"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def complaints(cluster: Cluster) -> list[str]:
    """Every container that stays has all three, each with one handler and a port that it opens."""
    found = []
    for name, container in staying(cluster):
        ports = {port["name"] for port in container.get("ports", [])}
        for each in PROBES:
            probe = container.get(each, {})
            handlers = HANDLERS & probe.keys()
            if len(handlers) != 1:
                found.append(f"{name}: {each} has {len(handlers)} handlers")
            found += [
                f"{name}: {each} asks port {probe[handler]['port']}"
                for handler in handlers - {"exec"}
                if probe[handler]["port"] not in ports
            ]
    return found


def probes(folder: str, component: str) -> dict[str, dict[str, Any]]:
    [container] = pod(rendered(folder).get(f"Deployment/{component}"))["containers"]
    return {each: container[each] for each in PROBES}


@every_kustomization
def test_every_probe_has_one_handler_and_a_port_that_exists(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("livenessProbe", NOTHING),
        ("startupProbe", {"periodSeconds": 2}),
        ("readinessProbe/exec", {"command": ["true"]}),
        ("livenessProbe/httpGet/port", "https"),
        ("livenessProbe/httpGet/port", 8081),
    ],
)
def test_a_probe_that_asks_nothing_or_nobody_is_found(path: str, value: object) -> None:
    where = f"spec/template/spec/containers/0/{path}"
    assert complaints(rendered(BASE).changed("Deployment/api", where, value))


@every_kustomization
def test_the_api_answers_the_paths_of_its_probes(folder: str) -> None:
    client = app().test_client()
    paths = {name: probe["httpGet"]["path"] for name, probe in probes(folder, "api").items()}
    # Not a question to Redis, but for traffic: restarting the API does not bring Redis back.
    assert paths == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    assert [client.get(path).status_code for path in paths.values()] == [200, 200, 200]
    assert client.get("/healthx").status_code == 404


@every_kustomization
def test_a_worker_starts_and_lives_by_its_progress_alone(folder: str) -> None:
    command = ["bash", "tasks/worker/probe.sh"]
    asked = {name: probe["exec"]["command"] for name, probe in probes(folder, "worker").items()}
    assert asked == {
        "startupProbe": [*command, "live"],
        "readinessProbe": [*command, "ready"],
        "livenessProbe": [*command, "live"],
    }
    assert (ROOT / command[1]).is_file()
