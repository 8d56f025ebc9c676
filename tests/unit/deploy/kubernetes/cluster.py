"""The objects of one `kubectl apply`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

#: Taken for a value, it removes what is at a path.
NOTHING = object()


class Cluster:
    """Objects by kind and name; nothing changes those of a `Cluster`."""

    def __init__(self, objects: Iterable[dict[str, Any]]) -> None:
        self.objects = list(objects)

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        return [each for each in self.objects if each["kind"] in kinds]

    def named(self, kind: str) -> set[str]:
        return {each["metadata"]["name"] for each in self.of_kind(kind)}

    def get(self, name: str) -> dict[str, Any]:
        """By `Kind/name`; KeyError if there is none."""
        for each in self.objects:
            if title(each) == name:
                return each
        raise KeyError(name)

    @property
    def workloads(self) -> list[dict[str, Any]]:
        """All that makes pods."""
        return [each for each in self.objects if "template" in each.get("spec", {})]

    def selected(self, selector: dict[str, Any]) -> list[dict[str, Any]]:
        """The workloads whose pods a label selector finds."""
        return [each for each in self.workloads if matches(selector, each["spec"]["template"])]

    def changed(self, name: str, path: str, value: Any) -> Cluster:
        """A copy in which one object has that value at that path, such as `spec/ports/0/name`."""
        copy = Cluster(deepcopy(self.objects))
        where: Any = copy.get(name)
        *parents, last = (int(step) if step.isdigit() else step for step in path.split("/"))
        for step in parents:
            where = where[step] if isinstance(step, int) else where.setdefault(step, {})
        if value is NOTHING:
            del where[last]
        else:
            where[last] = value
        return copy

    def without(self, name: str) -> Cluster:
        gone = self.get(name)
        return Cluster(each for each in self.objects if each is not gone)


def title(each: dict[str, Any]) -> str:
    return f"{each['kind']}/{each['metadata']['name']}"


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """What the pods of a workload are made of."""
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def containers(cluster: Cluster) -> Iterator[tuple[str, dict[str, Any]]]:
    """(a name for messages, the container), the ones that run before the others included."""
    for workload in cluster.workloads:
        for each in [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]:
            yield f"{title(workload)}/{each['name']}", each


def staying(cluster: Cluster) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same without the ones that run before the others and end."""
    for workload in cluster.workloads:
        for each in pod(workload)["containers"]:
            yield f"{title(workload)}/{each['name']}", each


def matches(selector: dict[str, Any], each: dict[str, Any]) -> bool:
    """Whether a label selector finds an object; an empty one finds all."""
    labels = each["metadata"].get("labels", {})
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(_holds(one, labels) for one in selector.get("matchExpressions", []))


def _holds(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]
