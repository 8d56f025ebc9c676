"""What finds pods by their labels finds those that are meant."""

from __future__ import annotations

import pytest

from .cluster import NOTHING, Cluster, pod, title
from .rendering import BASE, every_kustomization, rendered


def selectors(cluster: Cluster) -> list[str]:
    """Of workloads: each finds its own pods and no other's."""
    return [
        f"{title(each)} selects {[title(one) for one in found]}"
        for each in cluster.workloads
        if (found := cluster.selected(each["spec"]["selector"])) != [each]
    ]


def services(cluster: Cluster) -> list[str]:
    """Each leads to the pods of one workload, and to ports that they name."""
    complaints = []
    for service in cluster.of_kind("Service"):
        found = cluster.selected({"matchLabels": service["spec"]["selector"]})
        if len(found) != 1:
            complaints.append(f"{title(service)} selects {[title(each) for each in found]}")
            continue
        ports = {port["name"] for each in pod(found[0])["containers"] for port in each["ports"]}
        wanted = {port["targetPort"] for port in service["spec"]["ports"]}
        complaints += [f"{title(service)}: no port {each}" for each in sorted(wanted - ports)]
    return complaints


def headless_services(cluster: Cluster) -> list[str]:
    """Those that stateful sets name: they exist and give every pod a name of its own."""
    headless = {
        each["metadata"]["name"]
        for each in cluster.of_kind("Service")
        if each["spec"].get("clusterIP") == "None"
    }
    named = [(title(each), each["spec"]["serviceName"]) for each in cluster.of_kind("StatefulSet")]
    return [f"{name}: no headless Service {service}" for name, service in named if service not in headless]


def spreads(cluster: Cluster) -> list[str]:
    """Pods are spread among their own kind."""
    return [
        f"{title(each)} spreads over {[title(one) for one in found]}"
        for each in cluster.workloads
        for spread in pod(each).get("topologySpreadConstraints", [])
        if (found := cluster.selected(spread["labelSelector"])) != [each]
    ]


CHECKS = [selectors, services, headless_services, spreads]


def complaints(cluster: Cluster) -> list[str]:
    return [each for check in CHECKS for each in check(cluster)]


@every_kustomization
def test_every_selector_finds_what_is_meant(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Deployment/api", "spec/selector/matchLabels", {"app.kubernetes.io/component": "apis"}),
        ("Deployment/api", "spec/selector/matchLabels", {"app.kubernetes.io/name": "neoserve"}),
        ("Deployment/worker", "spec/template/metadata/labels", {}),
        ("Service/api", "spec/selector", {"app.kubernetes.io/component": "apis"}),
        ("Service/api", "spec/selector", {"app.kubernetes.io/name": "neoserve"}),
        ("Service/api", "spec/ports/0/targetPort", "https"),
        ("Service/redis", "spec/clusterIP", NOTHING),
        ("StatefulSet/redis", "spec/serviceName", "store"),
        (
            "Deployment/api",
            "spec/template/spec/topologySpreadConstraints",
            [{"labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker"}}}],
        ),
    ],
)
def test_a_selector_that_finds_others_is_found(name: str, path: str, value: object) -> None:
    assert complaints(rendered(BASE).changed(name, path, value))
