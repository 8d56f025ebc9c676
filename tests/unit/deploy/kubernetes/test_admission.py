"""What an API server refuses although every field has the right type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .cluster import Cluster, containers, title
from .rendering import BASE, every_kustomization, rendered

#: List in a container to the field that tells its entries apart.
DISTINCT = {"env": "name", "ports": "name", "volumeMounts": "mountPath"}


def of_a_container(container: dict[str, Any]) -> Iterator[str]:
    for field, key in DISTINCT.items():
        named = [each[key] for each in container.get(field, [])]
        if len(named) != len(set(named)):
            yield f"two {field} of one {key}"
    if any(len(port["name"]) > 15 for port in container.get("ports", [])):
        yield "the name of a port is longer than 15 letters"
    for probe in ("startupProbe", "livenessProbe"):
        if container.get(probe, {}).get("successThreshold", 1) != 1:
            yield f"{probe} must succeed once"


def of_a_strategy(deployment: dict[str, Any]) -> Iterator[str]:
    strategy = deployment["spec"].get("strategy", {})
    rolling = strategy.get("rollingUpdate", {})
    if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
        yield "recreated pods do not roll"
    if [rolling.get("maxSurge"), rolling.get("maxUnavailable")] == [0, 0]:
        yield "neither more pods nor fewer: no update could begin"


def of_a_budget(budget: dict[str, Any]) -> Iterator[str]:
    if len(budget["spec"].keys() & {"minAvailable", "maxUnavailable"}) != 1:
        yield "either so many stay or so many may go"


def complaints(cluster: Cluster) -> list[str]:
    found = [f"{name}: {each}" for name, one in containers(cluster) for each in of_a_container(one)]
    for kind, check in (("Deployment", of_a_strategy), ("PodDisruptionBudget", of_a_budget)):
        found += [f"{title(one)}: {each}" for one in cluster.of_kind(kind) for each in check(one)]
    return found


@every_kustomization
def test_nothing_contradicts_itself(folder: str) -> None:
    assert complaints(rendered(folder)) == []


CONTAINER = "spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Deployment/api", f"{CONTAINER}/ports/1/name", "http"),
        ("Deployment/api", f"{CONTAINER}/ports/1/name", "prometheus-metrics"),
        ("Deployment/api", f"{CONTAINER}/env", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        ("Deployment/api", f"{CONTAINER}/livenessProbe/successThreshold", 2),
        ("Deployment/api", "spec/strategy/type", "Recreate"),
        ("Deployment/api", "spec/strategy/rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0}),
        ("PodDisruptionBudget/api", "spec/minAvailable", 1),
    ],
)
def test_a_contradiction_is_found(name: str, path: str, value: object) -> None:
    assert complaints(rendered(BASE).changed(name, path, value))
