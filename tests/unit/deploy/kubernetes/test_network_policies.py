"""Who reaches whom: what is needed, and nothing else."""

from __future__ import annotations

import pytest

from .cluster import Cluster, title
from .network import Peer, allowed, peer
from .rendering import PRODUCTION, every_overlay, rendered

REDIS = ("StatefulSet/redis", 6379)

#: To the port of its metrics; each of them asks Redis something.
METRICS = {
    "Deployment/api": 9100,
    "Deployment/worker": 9101,
    "Deployment/celery-exporter": 9808,
    "Deployment/redis-exporter": 9121,
}

API = ("Deployment/api", 8080)


def namespace(name: str) -> dict[str, str]:
    """The label that Kubernetes itself gives to it."""
    return {"kubernetes.io/metadata.name": name}


DNS = Peer("DNS", {"k8s-app": "kube-dns"}, namespace("kube-system"))
PROMETHEUS = Peer("Prometheus", {"app.kubernetes.io/name": "prometheus"}, namespace("monitoring"))
NEIGHBOUR = Peer("neighbour", {"app": "shop"}, namespace("shop"))
INTERNET = Peer("internet", address="93.184.215.14")
METADATA = Peer("the cloud's metadata", address="169.254.169.254")


def peers(cluster: Cluster) -> list[Peer]:
    return [peer(each) for each in cluster.workloads]


def reached(cluster: Cluster, source: Peer) -> set[tuple[str, int]]:
    """(pod, port) of all that pods open."""
    return {
        (each.name, port)
        for each in peers(cluster)
        for port in each.ports.values()
        if allowed(cluster, source, each, port)
    }


def resolvers(cluster: Cluster) -> set[str]:
    """Who can look up names, in both of the ways."""
    return {
        each.name
        for each in peers(cluster)
        if allowed(cluster, each, DNS, 53, "UDP") and allowed(cluster, each, DNS, 53, "TCP")
    }


def leaks(cluster: Cluster) -> list[str]:
    """Ways out of the cluster."""
    return [
        f"{each.name} reaches {target.name}:{port}"
        for each in peers(cluster)
        for target in (INTERNET, METADATA, NEIGHBOUR)
        for port in (53, 80, 443, 6379)
        if allowed(cluster, each, target, port)
    ]


def denied_by_default(cluster: Cluster) -> bool:
    """To a pod of any other labels as well, in both directions."""
    stranger = Peer("stranger", {"app": "stranger"}, ports={"http": 8080})
    return not allowed(cluster, stranger, INTERNET, 443) and not allowed(cluster, NEIGHBOUR, stranger, 8080)


@every_overlay
def test_inside_only_redis_is_reached_and_only_by_its_clients(folder: str) -> None:
    cluster = rendered(folder)
    for each in peers(cluster):
        assert reached(cluster, each) == ({REDIS} if each.name in METRICS else set()), each.name


@every_overlay
def test_prometheus_reaches_the_metrics_and_others_the_api_alone(folder: str) -> None:
    assert reached(rendered(folder), PROMETHEUS) == {API, *METRICS.items()}
    assert reached(rendered(folder), NEIGHBOUR) == {API}


@every_overlay
def test_who_names_redis_can_look_the_name_up(folder: str) -> None:
    assert resolvers(rendered(folder)) == set(METRICS)


@every_overlay
def test_nothing_gets_out(folder: str) -> None:
    assert leaks(rendered(folder)) == []


@every_overlay
def test_a_pod_that_no_policy_knows_reaches_nobody_and_is_reached_by_nobody(folder: str) -> None:
    assert denied_by_default(rendered(folder))


def test_without_its_policies_everybody_reaches_everybody() -> None:
    bare = Cluster(each for each in rendered(PRODUCTION).objects if each["kind"] != "NetworkPolicy")
    everything = {API, REDIS, *METRICS.items()}
    assert reached(bare, NEIGHBOUR) == reached(bare, peer(bare.get("Deployment/worker"))) == everything
    assert resolvers(bare) == {title(each) for each in bare.workloads}
    assert leaks(bare)
    assert not denied_by_default(bare)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("NetworkPolicy/default-deny", "spec/policyTypes", ["Ingress"]),
        ("NetworkPolicy/default-deny", "spec/policyTypes", ["Egress"]),
        ("NetworkPolicy/default-deny", "spec/podSelector", {"matchLabels": {"app": "shop"}}),
    ],
)
def test_a_default_that_denies_half_is_found(name: str, path: str, value: object) -> None:
    assert not denied_by_default(rendered(PRODUCTION).changed(name, path, value))


def test_a_policy_that_lets_out_more_is_found() -> None:
    everywhere = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]}
    broken = rendered(PRODUCTION).changed("NetworkPolicy/dns", "spec/egress/0", everywhere)
    assert {each.split(" reaches ")[1].split(":")[0] for each in leaks(broken)} == {"internet"}


def test_a_policy_that_forgets_one_way_of_asking_is_found() -> None:
    ports = [{"protocol": "UDP", "port": 53}]
    assert resolvers(rendered(PRODUCTION).changed("NetworkPolicy/dns", "spec/egress/0/ports", ports)) == set()


def test_both_ends_must_allow_it() -> None:
    for name in ("NetworkPolicy/redis", "NetworkPolicy/redis-clients"):
        cluster = rendered(PRODUCTION).without(name)
        assert reached(cluster, peer(cluster.get("Deployment/worker"))) == set()


@every_overlay
def test_every_policy_finds_pods(folder: str) -> None:
    cluster = rendered(folder)
    for policy in cluster.of_kind("NetworkPolicy"):
        assert cluster.selected(policy["spec"]["podSelector"]), title(policy)
