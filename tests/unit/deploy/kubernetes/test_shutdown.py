"""A pod that is told to stop has the time that it takes."""

from __future__ import annotations

from typing import Any

import pytest

from api import gunicorn_conf
from tasks.worker.settings import WorkerSettings

from .cluster import NOTHING, Cluster, pod, title
from .environment import environment
from .rendering import BASE, every_kustomization, rendered

#: After what is known to take time: until processes have ended and their last words are written.
MARGIN = 10


def pause(container: dict[str, Any]) -> int:
    """Seconds of a preStop hook that sleeps, in either of the two ways; they count as well."""
    hook = container.get("lifecycle", {}).get("preStop", {})
    if "exec" in hook:
        program, amount = hook["exec"]["command"]
        assert program == "sleep"
        return int(amount)
    return int(hook.get("sleep", {}).get("seconds", 0))


def drain(cluster: Cluster, name: str, container: dict[str, Any]) -> float:
    if name == "Deployment/worker":
        return WorkerSettings.from_env(environment(cluster, container)).grace_seconds
    return gunicorn_conf.graceful_timeout if name == "Deployment/api" else 0


def complaints(cluster: Cluster) -> list[str]:
    found = []
    for workload in cluster.workloads:
        grace = pod(workload).get("terminationGracePeriodSeconds", 30)
        for container in pod(workload)["containers"]:
            takes = pause(container) + drain(cluster, title(workload), container) + MARGIN
            if grace < takes:
                found.append(f"{title(workload)} takes {takes:g} s to stop and has {grace}")
    return found


@every_kustomization
def test_every_pod_has_more_time_to_stop_than_it_takes(folder: str) -> None:
    assert complaints(rendered(folder)) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Deployment/worker", "terminationGracePeriodSeconds", NOTHING),
        ("Deployment/worker", "terminationGracePeriodSeconds", 34),
        ("Deployment/worker", "containers/0/env", [{"name": "NEOSERVE_GRACE_SECONDS", "value": "60"}]),
        ("Deployment/api", "terminationGracePeriodSeconds", 20),
        ("Deployment/api", "containers/0/lifecycle/preStop", {"sleep": {"seconds": 60}}),
    ],
)
def test_one_that_would_be_killed_is_found(name: str, path: str, value: object) -> None:
    assert complaints(rendered(BASE).changed(name, f"spec/template/spec/{path}", value))


@every_kustomization
def test_the_api_gets_no_new_requests_before_it_stops(folder: str) -> None:
    # Endpoints are removed while the hook sleeps.
    [container] = pod(rendered(folder).get("Deployment/api"))["containers"]
    assert pause(container) >= 5
