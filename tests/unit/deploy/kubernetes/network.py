"""What network policies let through, as Kubernetes documents them."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from .cluster import Cluster, matches, pod, title


@dataclass(frozen=True)
class Peer:
    """A pod, or an address outside the cluster."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    #: Labels of its namespace; None: it is in the one of the policies.
    namespace: dict[str, str] | None = None
    address: str = ""
    #: By their names.
    ports: dict[str, int] = field(default_factory=dict)


def peer(workload: dict[str, Any]) -> Peer:
    opened = [port for each in pod(workload)["containers"] for port in each.get("ports", [])]
    return Peer(
        title(workload),
        workload["spec"]["template"]["metadata"]["labels"],
        ports={each["name"]: each["containerPort"] for each in opened},
    )


def allowed(cluster: Cluster, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Both ends must allow it; one of another namespace, or outside, has no policies here."""
    for direction, own, other in (("Egress", source, target), ("Ingress", target, source)):
        if own.namespace is not None or own.address:
            continue
        policies = [each["spec"] for each in _policies(cluster, own, direction)]
        rules = [rule for each in policies for rule in each.get(direction.lower(), [])]
        passed = (_passes(rule, direction, other, target, port, protocol) for rule in rules)
        if policies and not any(passed):
            return False
    return True


def _policies(cluster: Cluster, own: Peer, direction: str) -> list[dict[str, Any]]:
    return [
        each
        for each in cluster.of_kind("NetworkPolicy")
        if direction in each["spec"]["policyTypes"]
        and matches(each["spec"]["podSelector"], {"metadata": {"labels": own.labels}})
    ]


def _passes(
    rule: dict[str, Any], direction: str, other: Peer, target: Peer, port: int, protocol: str
) -> bool:
    peers = rule.get("to" if direction == "Egress" else "from")
    ports = rule.get("ports")
    return (not peers or any(_is(other, each) for each in peers)) and (
        not ports or any(_covers(each, target, port, protocol) for each in ports)
    )


def _is(other: Peer, wanted: dict[str, Any]) -> bool:
    if "ipBlock" in wanted or other.address:
        return "ipBlock" in wanted and bool(other.address) and _inside(other.address, wanted["ipBlock"])
    if "namespaceSelector" in wanted:
        namespace = {"metadata": {"labels": other.namespace or {}}}
        if not matches(wanted["namespaceSelector"], namespace):
            return False
    elif other.namespace is not None:
        return False
    return matches(wanted.get("podSelector", {}), {"metadata": {"labels": other.labels}})


def _inside(address: str, block: dict[str, Any]) -> bool:
    holes = [ip_network(each) for each in block.get("except", [])]
    return ip_address(address) in ip_network(block["cidr"]) and not any(
        ip_address(address) in hole for hole in holes
    )


def _covers(wanted: dict[str, Any], target: Peer, port: int, protocol: str) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    named = wanted.get("port", port)
    first = target.ports.get(named) if isinstance(named, str) else named
    return first is not None and first <= port <= wanted.get("endPort", first)
