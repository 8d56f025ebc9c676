"""What the objects of a cluster name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .cluster import Cluster, pod
from .environment import values

#: (kind, name, key or empty), as something names them.
Reference = tuple[str, str, str]


def of_environment(container: dict[str, Any]) -> Iterator[Reference]:
    for kind, word in (("ConfigMap", "configMap"), ("Secret", "secret")):
        for source in container.get("envFrom", []):
            if f"{word}Ref" in source:
                yield kind, source[f"{word}Ref"]["name"], ""
        for variable in container.get("env", []):
            if reference := variable.get("valueFrom", {}).get(f"{word}KeyRef"):
                yield kind, reference["name"], reference["key"]


def of_volume(volume: dict[str, Any]) -> Iterator[Reference]:
    for source in [volume, *volume.get("projected", {}).get("sources", [])]:
        for kind, word, field in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            if word in source:
                name = source[word].get(field) or source[word]["name"]
                yield kind, name, ""
                yield from ((kind, name, item["key"]) for item in source[word].get("items", []))
    if claim := volume.get("persistentVolumeClaim"):
        yield "PersistentVolumeClaim", claim["claimName"], ""


def of_pod(spec: dict[str, Any]) -> Iterator[Reference]:
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        yield from of_environment(container)
    for volume in spec.get("volumes", []):
        yield from of_volume(volume)
    for secret in spec.get("imagePullSecrets", []):
        yield "Secret", secret["name"], ""
    for kind, field in (("ServiceAccount", "serviceAccountName"), ("PriorityClass", "priorityClassName")):
        if field in spec:
            yield kind, spec[field], ""


def of_ingress(spec: dict[str, Any]) -> Iterator[Reference]:
    for entry in spec.get("tls", []):
        yield "Secret", entry["secretName"], ""
    for path in (path for rule in spec["rules"] for path in rule["http"]["paths"]):
        service = path["backend"]["service"]
        yield "Service", service["name"], str(service["port"].get("name") or service["port"]["number"])


def references(cluster: Cluster) -> Iterator[Reference]:
    for workload in cluster.workloads:
        yield from of_pod(pod(workload))
    for ingress in cluster.of_kind("Ingress"):
        yield from of_ingress(ingress["spec"])
    for authentication in cluster.of_kind("TriggerAuthentication"):
        for one in authentication["spec"].get("secretTargetRef", []):
            yield "Secret", one["name"], one["key"]
    for scaler in cluster.of_kind("ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            if "authenticationRef" in trigger:
                yield "TriggerAuthentication", trigger["authenticationRef"]["name"], ""


def missing(cluster: Cluster) -> set[Reference]:
    found = set()
    for kind, name, key in references(cluster):
        if name not in cluster.named(kind) or (key and key not in keys(cluster, kind, name)):
            found.add((kind, name, key))
    return found


def keys(cluster: Cluster, kind: str, name: str) -> set[str]:
    """What can be named inside of it."""
    if kind == "Service":
        ports = cluster.get(f"Service/{name}")["spec"]["ports"]
        return {str(port[field]) for port in ports for field in ("name", "port")}
    return set(values(cluster, kind, name))
