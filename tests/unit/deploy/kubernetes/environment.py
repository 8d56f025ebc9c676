"""What a container finds in its environment."""

from __future__ import annotations

import base64
import re
from typing import Any

from .cluster import Cluster


def environment(cluster: Cluster, container: dict[str, Any]) -> dict[str, str]:
    """Name to value; what comes from a Secret that somebody else makes is left out."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for kind in ("ConfigMap", "Secret"):
            reference = source.get(f"{kind[0].lower()}{kind[1:]}Ref")
            if reference:
                found |= values(cluster, kind, reference["name"])
    for each in container.get("env", []):
        if "value" in each:
            found[each["name"]] = _expanded(each["value"], found)
            continue
        for kind in ("ConfigMap", "Secret"):
            reference = each["valueFrom"].get(f"{kind[0].lower()}{kind[1:]}KeyRef")
            if reference and reference["key"] in values(cluster, kind, reference["name"]):
                found[each["name"]] = values(cluster, kind, reference["name"])[reference["key"]]
    return found


def values(cluster: Cluster, kind: str, name: str) -> dict[str, str]:
    """Of a ConfigMap or a Secret; of one that is not here, none."""
    for each in cluster.of_kind(kind):
        if each["metadata"]["name"] == name:
            data: dict[str, str] = each.get("data", {})
            if kind == "Secret":
                data = {key: base64.b64decode(value).decode() for key, value in data.items()}
            return {**data, **each.get("stringData", {})}
    return {}


def _expanded(value: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: known.get(found[1], found[0]), value)
