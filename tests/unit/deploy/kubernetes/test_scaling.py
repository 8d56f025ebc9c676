"""How many pods there are, who says so, and how many may be gone at once."""

from __future__ import annotations

from typing import Any

import pytest

from .cluster import NOTHING, Cluster, title
from .rendering import OPERATORS, PRODUCTION, every_kustomization, rendered

AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def target(scaler: dict[str, Any]) -> str:
    """As `Kind/name`; KEDA takes a Deployment where no kind is given."""
    reference = scaler["spec"]["scaleTargetRef"]
    return f"{reference.get('kind', 'Deployment')}/{reference['name']}"


def bounds(scaler: dict[str, Any]) -> tuple[int, int]:
    """(least, most) pods; what is not said is what Kubernetes and KEDA take for it."""
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        return spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    return spec.get("minReplicas", 1), spec["maxReplicas"]


def autoscalers(cluster: Cluster) -> list[str]:
    complaints = []
    scalers = cluster.of_kind(*AUTOSCALERS)
    workloads = {title(each): each for each in cluster.workloads}
    for scaler in scalers:
        least, most = bounds(scaler)
        if not 1 <= least < most:
            complaints.append(f"{title(scaler)}: from {least} to {most}")
        if target(scaler) not in workloads:
            complaints.append(f"{title(scaler)}: there is no {target(scaler)}")
        elif "replicas" in workloads[target(scaler)]["spec"]:
            complaints.append(f"{target(scaler)}: every apply would undo what {title(scaler)} has done")
    targets = [target(each) for each in scalers]
    complaints += [f"{each} has two autoscalers" for each in set(targets) if targets.count(each) > 1]
    return complaints


def fixed(cluster: Cluster) -> list[str]:
    """Those that nobody scales say how many they are: else each apply would leave it to chance."""
    scaled = {target(each) for each in cluster.of_kind(*AUTOSCALERS)}
    return [
        f"{title(each)}: neither replicas nor an autoscaler"
        for each in cluster.workloads
        if title(each) not in scaled and not isinstance(each["spec"].get("replicas"), int)
    ]


def least(cluster: Cluster, workload: dict[str, Any]) -> int:
    for scaler in cluster.of_kind(*AUTOSCALERS):
        if target(scaler) == title(workload):
            return bounds(scaler)[0]
    return int(workload["spec"].get("replicas", 1))


def budgets(cluster: Cluster) -> list[str]:
    """A node can always be emptied: one pod may go, whatever the number of pods."""
    complaints = []
    for budget in cluster.of_kind("PodDisruptionBudget"):
        found = cluster.selected(budget["spec"]["selector"])
        if len(found) != 1:
            complaints.append(f"{title(budget)} selects {[title(each) for each in found]}")
            continue
        room = budget["spec"].get("maxUnavailable", 0)
        if "minAvailable" in budget["spec"]:
            room = least(cluster, found[0]) - budget["spec"]["minAvailable"]
        if room < 1:
            complaints.append(f"{title(budget)}: no pod may ever go")
    return complaints


def complaints(cluster: Cluster) -> list[str]:
    return [each for check in (autoscalers, fixed, budgets) for each in check(cluster)]


@every_kustomization
def test_one_alone_says_how_many_pods_there_are_and_one_of_them_may_go(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("folder", "name", "path", "value"),
    [
        (PRODUCTION, "HorizontalPodAutoscaler/api", "spec/minReplicas", 8),
        (PRODUCTION, "HorizontalPodAutoscaler/api", "spec/scaleTargetRef/name", "apis"),
        (PRODUCTION, "HorizontalPodAutoscaler/api", "spec/scaleTargetRef/kind", "StatefulSet"),
        (PRODUCTION, "HorizontalPodAutoscaler/api", "spec/scaleTargetRef/name", "worker"),
        (PRODUCTION, "Deployment/api", "spec/replicas", 2),
        (PRODUCTION, "Deployment/celery-exporter", "spec/replicas", NOTHING),
        (PRODUCTION, "PodDisruptionBudget/api", "spec/maxUnavailable", 0),
        (PRODUCTION, "PodDisruptionBudget/api", "spec", {"selector": {"matchLabels": {"a": "b"}}}),
        (OPERATORS, "ScaledObject/worker", "spec/minReplicaCount", NOTHING),
        (OPERATORS, "ScaledObject/worker", "spec/maxReplicaCount", 1),
        (OPERATORS, "ScaledObject/worker", "spec/scaleTargetRef/name", "workers"),
        (OPERATORS, "ScaledObject/worker", "spec/scaleTargetRef/name", "api"),
    ],
)
def test_a_contradiction_is_found(folder: str, name: str, path: str, value: object) -> None:
    assert complaints(rendered(folder).changed(name, path, value))


@pytest.mark.parametrize(("left", "found"), [(1, False), (2, True)])
def test_a_budget_leaves_room_below_the_fewest_pods(left: int, found: bool) -> None:
    spec = rendered(PRODUCTION).get("PodDisruptionBudget/api")["spec"]
    other = {"selector": spec["selector"], "minAvailable": left}
    assert bool(complaints(rendered(PRODUCTION).changed("PodDisruptionBudget/api", "spec", other))) is found


def test_both_kinds_of_autoscaler_are_looked_at() -> None:
    assert {title(each) for each in rendered(PRODUCTION).of_kind(*AUTOSCALERS)} == {
        "HorizontalPodAutoscaler/api",
        "HorizontalPodAutoscaler/worker",
    }
    assert {title(each) for each in rendered(OPERATORS).of_kind(*AUTOSCALERS)} == {
        "HorizontalPodAutoscaler/api",
        "ScaledObject/worker",
    }
