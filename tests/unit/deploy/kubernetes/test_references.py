"""What an object names is there."""

from __future__ import annotations

import pytest

from tests.unit.deploy.files import text

from .cluster import Cluster, containers, pod, title
from .references import missing
from .rendering import BASE, LOCAL, OPERATORS, PRODUCTION, every_kustomization, rendered

#: Which Secrets whoever runs the cluster has to make.
SECRETS = {
    BASE: {"neoserve-keys"},
    LOCAL: set(),
    PRODUCTION: {"neoserve-keys", "neoserve-redis"},
    OPERATORS: {"neoserve-keys", "neoserve-redis"},
}


def mounts(cluster: Cluster) -> list[str]:
    """Every volume is mounted, and every mount has its volume."""
    complaints = []
    for workload in cluster.workloads:
        claims = [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])]
        there = {each["name"] for each in pod(workload).get("volumes", [])} | set(claims)
        used = {
            mount["name"]
            for name, each in containers(cluster)
            if name.startswith(f"{title(workload)}/")
            for mount in each.get("volumeMounts", [])
        }
        complaints += [f"{title(workload)}: volume {each}" for each in sorted(there ^ used)]
    return complaints


@every_kustomization
def test_what_is_named_is_there_or_is_a_secret_that_the_documentation_says_how_to_make(folder: str) -> None:
    assert {(kind, name) for kind, name, _ in missing(rendered(folder))} == {
        ("Secret", name) for name in SECRETS[folder]
    }
    for _, name, key in missing(rendered(folder)):
        assert f"kubectl create secret generic {name}" in text("docs/deployment.md")
        assert not key or f"{key}=" in text("k8s/components/redis-password/redis.env.example")


@every_kustomization
def test_every_volume_is_mounted_and_every_mount_has_its_volume(folder: str) -> None:
    assert mounts(rendered(folder)) == []


POD = "spec/template/spec"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("containers/0/envFrom/0/configMapRef/name", "settings"),
        ("containers/0/env", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "redis", "key": "url"}}}]),
        ("volumes/0", {"name": "tmp", "configMap": {"name": "settings"}}),
        ("volumes/0", {"name": "tmp", "secret": {"secretName": "redis"}}),
        ("volumes/0", {"name": "tmp", "persistentVolumeClaim": {"claimName": "models"}}),
        ("imagePullSecrets", [{"name": "registry"}]),
        ("serviceAccountName", "api"),
        ("priorityClassName", "high"),
    ],
)
def test_a_name_of_nothing_is_found(path: str, value: object) -> None:
    broken = rendered(BASE).changed("Deployment/api", f"{POD}/{path}", value)
    assert len(missing(broken) - missing(rendered(BASE))) == 1


def test_a_key_of_nothing_is_found() -> None:
    [settings] = [name for name in rendered(BASE).named("ConfigMap") if name.startswith("neoserve-settings")]
    variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": settings, "key": "REDIS"}}}
    broken = rendered(BASE).changed("Deployment/api", f"{POD}/containers/0/env", [variable])
    assert missing(broken) - missing(rendered(BASE)) == {("ConfigMap", settings, "REDIS")}


@pytest.mark.parametrize(("path", "value"), [("volumes/0/name", "scratch"), ("volumes", [])])
def test_a_mount_of_nothing_is_found(path: str, value: object) -> None:
    assert mounts(rendered(BASE).changed("Deployment/api", f"{POD}/{path}", value))
