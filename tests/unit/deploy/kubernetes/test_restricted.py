"""Every pod is one that the Pod Security Standard "restricted" admits, and a bit stricter."""

from __future__ import annotations

from typing import Any

import pytest

from .cluster import NOTHING, Cluster, containers, pod, title
from .rendering import BASE, every_kustomization, rendered

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"),
    "secret",
}

POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}

CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def of_a_pod(name: str, spec: dict[str, Any]) -> list[str]:
    context = spec.get("securityContext", {})
    complaints = [f"{name}: {key} is not {value}" for key, value in POD.items() if context.get(key) != value]
    complaints += [f"{name}: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    if not context.get("runAsUser", 0) > 0:
        complaints.append(f"{name}: user 0, or whichever the image says")
    if spec.get("automountServiceAccountToken") is not False:
        complaints.append(f"{name}: is given a token of the cluster")
    if spec.get("enableServiceLinks") is not False:
        # Beside a Service that is called "neoserve", NEOSERVE_PORT would be tcp://...
        complaints.append(f"{name}: is told of Services, in variables that could be our settings")
    for volume in spec.get("volumes", []):
        if not volume.keys() & VOLUMES:
            complaints.append(f"{name}: volume {volume['name']} is of the node")
    # What else there may be: a group, and who owns the files of a volume.
    strange = context.keys() - POD.keys() - {"runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy"}
    return complaints + [f"{name}: {each}" for each in sorted(strange)]


def of_a_container(name: str, container: dict[str, Any]) -> list[str]:
    """Exactly these fields: any other loosens what the pod says."""
    complaints = []
    if container.get("securityContext") != CONTAINER:
        complaints.append(f"{name}: {container.get('securityContext')}")
    if any("hostPort" in port for port in container.get("ports", [])):
        complaints.append(f"{name}: takes a port of its node")
    return complaints


def complaints(cluster: Cluster) -> list[str]:
    of_pods = [each for one in cluster.workloads for each in of_a_pod(title(one), pod(one))]
    return of_pods + [each for one in containers(cluster) for each in of_a_container(*one)]


@every_kustomization
def test_no_pod_can_become_root_or_write_to_its_image(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("securityContext/runAsNonRoot", NOTHING),
        ("securityContext/runAsUser", 0),
        ("securityContext/runAsUser", NOTHING),
        ("securityContext/seccompProfile/type", "Unconfined"),
        ("securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
        ("hostNetwork", True),
        ("hostPID", True),
        ("hostIPC", True),
        ("automountServiceAccountToken", NOTHING),
        ("enableServiceLinks", True),
        ("volumes/0", {"name": "tmp", "hostPath": {"path": "/tmp"}}),
        ("containers/0/securityContext", NOTHING),
        ("containers/0/securityContext/privileged", True),
        ("containers/0/securityContext/runAsUser", 0),
        ("containers/0/securityContext/allowPrivilegeEscalation", NOTHING),
        ("containers/0/securityContext/readOnlyRootFilesystem", False),
        ("containers/0/securityContext/capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        ("containers/0/securityContext/capabilities/drop", ["NET_RAW"]),
        ("containers/0/securityContext/procMount", "Unmasked"),
        ("containers/0/ports/0/hostPort", 80),
    ],
)
def test_one_that_could_is_found(path: str, value: object) -> None:
    assert complaints(rendered(BASE).changed("Deployment/api", f"spec/template/spec/{path}", value))
