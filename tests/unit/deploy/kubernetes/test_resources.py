"""What a container asks for and may take."""

from __future__ import annotations

import re

import pytest

from tests.unit.deploy.files import text

from .cluster import NOTHING, Cluster, containers, pod
from .rendering import BASE, every_kustomization, rendered

UNITS = {"m": 0.001, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(given: object) -> float:
    amount, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]*)", str(given)).groups()  # type: ignore[union-attr]
    return float(amount) * UNITS[unit]


def complaints(cluster: Cluster) -> list[str]:
    found = []
    for name, container in containers(cluster):
        resources = container.get("resources", {})
        requests, limits = resources.get("requests", {}), resources.get("limits", {})
        if not {"cpu", "memory"} <= requests.keys() & limits.keys():
            found.append(f"{name}: no requests or no limits")
        for what in requests.keys() & limits.keys():
            if quantity(requests[what]) > quantity(limits[what]):
                found.append(f"{name}: asks for more {what} than it may take")
    return found


@every_kustomization
def test_every_container_asks_for_no_more_than_it_may_take(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [("requests/cpu", "1100m"), ("requests/memory", "1Gi"), ("limits/memory", NOTHING), ("requests", {})],
)
def test_one_that_asks_for_more_or_takes_without_asking_is_found(path: str, value: object) -> None:
    where = f"spec/template/spec/containers/0/resources/{path}"
    assert complaints(rendered(BASE).changed("Deployment/api", where, value))


@every_kustomization
def test_redis_has_room_for_a_copy_of_what_it_may_hold(folder: str) -> None:
    # Of what changes while it rewrites its append-only file.
    [megabytes] = re.findall(r"^maxmemory (\d+)mb$", text("k8s/base/redis.conf"), re.MULTILINE)
    [container] = pod(rendered(folder).get("StatefulSet/redis"))["containers"]
    assert quantity(container["resources"]["limits"]["memory"]) >= 2 * quantity(f"{megabytes}Mi")
