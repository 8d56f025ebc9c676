"""Whose an object is, and where."""

from __future__ import annotations

from typing import Any

from tests.unit.deploy.files import load

from .cluster import NOTHING, Cluster, title
from .rendering import PRODUCTION, every_kustomization, every_overlay, rendered

NAMESPACE = "neoserve"

WHOSE = {"app.kubernetes.io/name", "app.kubernetes.io/component"}

#: Every mode, or only some would be told what is refused.
ADMISSION = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


def labels(each: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = each["metadata"].get("labels", {})
    return found


def misplaced(cluster: Cluster) -> list[str]:
    """What an overlay would make in whichever namespace one happens to be in."""
    return [
        title(each)
        for each in cluster.objects
        if each["kind"] != "Namespace" and each["metadata"].get("namespace") != NAMESPACE
    ]


@every_overlay
def test_everything_is_in_one_namespace_that_the_overlay_makes(folder: str) -> None:
    assert rendered(folder).named("Namespace") == {NAMESPACE}
    assert misplaced(rendered(folder)) == []


def test_what_is_elsewhere_is_found() -> None:
    for value in (NOTHING, "default"):
        broken = rendered(PRODUCTION).changed("Service/api", "metadata/namespace", value)
        assert misplaced(broken) == ["Service/api"]


@every_overlay
def test_the_namespace_admits_restricted_pods_alone(folder: str) -> None:
    assert labels(rendered(folder).get(f"Namespace/{NAMESPACE}")).items() >= ADMISSION.items()


@every_kustomization
def test_every_workload_says_whose_it_is(folder: str) -> None:
    for each in rendered(folder).workloads:
        assert labels(each).keys() >= WHOSE, title(each)
        assert labels(each)["app.kubernetes.io/part-of"] == "neoserve"


@every_overlay
def test_an_overlay_itself_says_the_namespace(folder: str) -> None:
    # That of a component does not reach what the components after it bring.
    assert load(f"{folder}/kustomization.yaml")["namespace"] == NAMESPACE
