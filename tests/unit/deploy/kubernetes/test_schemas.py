"""Every object against the schemas of three versions of Kubernetes, KEDA and the Prometheus Operator."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_validate import SchemaNotFoundError

from .cluster import Cluster, title
from .rendering import BASE, OVERLAYS, every_kustomization, rendered
from .schemas import CUSTOM, VERSIONS, complaint, custom

every_version = pytest.mark.parametrize("version", VERSIONS)

WORKER = "spec/template/spec/containers/0"

#: A scaler and a monitor as their projects' documentation has them.
SCALED = {
    "apiVersion": "keda.sh/v1alpha1",
    "kind": "ScaledObject",
    "metadata": {"name": "worker"},
    "spec": {
        "scaleTargetRef": {"name": "worker"},
        "minReplicaCount": 1,
        "triggers": [{"type": "prometheus", "metadata": {"query": "up", "threshold": "4"}}],
    },
}
WATCHED = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PodMonitor",
    "metadata": {"name": "worker"},
    "spec": {"selector": {"matchLabels": {"a": "b"}}, "podMetricsEndpoints": [{"port": "metrics"}]},
}


@every_version
@every_kustomization
def test_every_field_is_known(folder: str, version: str) -> None:
    complaints = [complaint(each, version) for each in rendered(folder).objects]
    assert complaints
    assert not any(complaints), complaints


@every_version
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/replica", 2),
        ("spec/replicas", "2"),
        (f"{WORKER}/resource", {}),
        (f"{WORKER}/ports", [{"containerPort": "9101"}]),
        (f"{WORKER}/env", [{"name": "NEOSERVE_GRACE_SECONDS", "value": 25}]),
        (f"{WORKER}/livenessProbe/periodSecond", 10),
        ("spec/template/spec/terminationGracePeriodSeconds", "45s"),
    ],
)
def test_a_mistake_in_a_deployment_is_found(path: str, value: object, version: str) -> None:
    broken = rendered(BASE).changed("Deployment/worker", path, value).get("Deployment/worker")
    assert complaint(broken, version)


def test_an_object_of_a_kind_that_no_schema_is_for_is_not_passed_over() -> None:
    with pytest.raises(SchemaNotFoundError):
        complaint(SCALED | {"kind": "ScaledThing"}, VERSIONS[-1])


@pytest.mark.parametrize("right", [SCALED, WATCHED], ids=title)
def test_what_other_projects_document_is_right(right: dict[str, Any]) -> None:
    assert complaint(right, VERSIONS[-1]) == ""


@pytest.mark.parametrize(
    ("right", "path", "value"),
    [
        (SCALED, "spec/minReplicasCount", 1),
        (SCALED, "spec/minReplicaCount", "1"),
        (SCALED, "spec/triggers/0/metadata/threshold", 4),
        (SCALED, "spec/triggers", None),
        (SCALED, "spec/advanced/horizontalPodAutoscalerConfig/behaviour", {}),
        (SCALED, "spec/fallback", {"failureThreshold": 3}),
        (WATCHED, "spec/endpoints", []),
        (WATCHED, "spec/podMetricsEndpoints/0/port", 9101),
        (WATCHED, "spec/podMetricsEndpoints/0/interval", "15"),
    ],
)
def test_a_mistake_in_another_projects_object_is_found(
    right: dict[str, Any], path: str, value: object
) -> None:
    broken = Cluster([right]).changed(title(right), path, value).objects[0]
    assert complaint(broken, VERSIONS[-1])


def test_no_schema_is_kept_that_nothing_needs() -> None:
    used = {each["kind"].lower() for folder in OVERLAYS for each in rendered(folder).objects if custom(each)}
    assert set(CUSTOM) == used
