"""What a real API server would refuse, or accept and then never bring up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.listener import JobListener
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tasks.worker.health_file import VARIABLE

from .files import (
    ROOT,
    cluster_environment,
    containers,
    image_environment,
    kustomization,
    manifests,
    services,
    workloads,
)

UNITS = {"m": 0.001, "": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
HANDLERS = {"httpGet", "exec", "tcpSocket", "grpc"}


def quantity(text: str) -> float:
    amount, unit = re.fullmatch(r"([\d.]+)(m|Ki|Mi|Gi|)", str(text)).groups()  # type: ignore[union-attr]
    return float(amount) * UNITS[unit]


def probes(container: dict[str, Any]) -> list[dict[str, Any]]:
    return [value for key, value in container.items() if key.endswith("Probe")]


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = workloads()[name]["spec"]["template"]["spec"]
    return spec


every_workload = pytest.mark.parametrize("name", sorted(workloads()))
every_container = pytest.mark.parametrize("name", sorted(containers()))


def test_every_manifest_is_listed_in_the_kustomization() -> None:
    files = {path.name for path in (ROOT / "k8s/base").glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization()["resources"])


@every_workload
def test_a_selector_finds_the_pods_of_its_template(name: str) -> None:
    spec = workloads()[name]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]


def test_a_service_finds_the_pods_of_one_workload_and_a_port_that_they_name() -> None:
    for service in (each for each in manifests().values() if each["kind"] == "Service"):
        [found] = [
            each for each in workloads().values()
            if each["spec"]["template"]["metadata"]["labels"].items() >= service["spec"]["selector"].items()
        ]  # fmt: skip
        [container] = found["spec"]["template"]["spec"]["containers"]
        named = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


def test_the_metrics_port_is_not_published_by_a_service() -> None:
    [port] = manifests()["Service/api"]["spec"]["ports"]
    assert port["targetPort"] == "http"


def test_the_redis_that_the_settings_name_is_a_service() -> None:
    host, port = re.fullmatch(r"redis://([\w-]+):(\d+)/0", cluster_environment()["REDIS_URL"]).groups()  # type: ignore[union-attr]
    assert int(port) in {each["port"] for each in manifests()[f"Service/{host}"]["spec"]["ports"]}


@every_container
def test_requests_are_within_limits(name: str) -> None:
    resources = containers()[name]["resources"]
    assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}
    for what, requested in resources["requests"].items():
        assert quantity(requested) <= quantity(resources["limits"][what])


@every_container
def test_every_probe_has_one_handler_and_a_port_that_exists(name: str) -> None:
    container = containers()[name]
    assert {"readinessProbe", "livenessProbe", "startupProbe"} <= set(container)
    named = {port["name"] for port in container["ports"]}
    for probe in probes(container):
        [handler] = HANDLERS & set(probe)
        assert probe[handler].get("port", next(iter(named))) in named


def test_the_api_answers_the_paths_of_its_probes() -> None:
    settings = ApiSettings()
    store = JobStore(fakeredis.FakeRedis(decode_responses=True))
    listener = JobListener(settings.redis_url, settings.namespace)
    client = create_app(settings, store=store, ring=RecordingRing(), listener=listener).test_client()
    paths = [probe["httpGet"]["path"] for probe in probes(containers()["api"])]
    assert paths == ["/healthz", "/readyz", "/healthz"]
    assert [client.get(path).status_code for path in paths] == [200, 200, 200]


def test_a_worker_starts_and_lives_by_its_progress_alone() -> None:
    worker = containers()["worker"]
    asked = {name: worker[f"{name}Probe"]["exec"]["command"] for name in ("startup", "readiness", "liveness")}
    command = ["bash", "tasks/worker/probe.sh"]
    assert asked == {
        "startup": [*command, "live"],
        "readiness": [*command, "ready"],
        "liveness": [*command, "live"],
    }
    assert (ROOT / command[1]).is_file()


def test_a_worker_writes_its_health_where_its_read_only_root_lets_it() -> None:
    [mount] = containers()["worker"]["volumeMounts"]
    file = Path(image_environment("worker")[VARIABLE])
    assert str(file.parent) == mount["mountPath"]
    assert services()["worker"]["tmpfs"] == [mount["mountPath"]]


@every_workload
def test_a_pod_cannot_become_root_or_write_to_its_image(name: str) -> None:
    [container] = pod(name)["containers"]
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["securityContext"]["runAsUser"] > 0
    assert pod(name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(name)["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@every_workload
def test_every_volume_that_is_mounted_exists(name: str) -> None:
    [container] = pod(name)["containers"]
    claims = [each["metadata"]["name"] for each in workloads()[name]["spec"].get("volumeClaimTemplates", [])]
    volumes = [each["name"] for each in pod(name).get("volumes", [])] + claims
    assert sorted(mount["name"] for mount in container["volumeMounts"]) == sorted(volumes)


@every_workload
def test_config_maps_that_a_pod_names_are_generated(name: str) -> None:
    generated = {each["name"] for each in kustomization()["configMapGenerator"]}
    [container] = pod(name)["containers"]
    named = {each["configMapRef"]["name"] for each in container.get("envFrom", [])}
    named |= {
        each["valueFrom"]["configMapKeyRef"]["name"]
        for each in container.get("env", [])
        if "valueFrom" in each
    }
    named |= {each["configMap"]["name"] for each in pod(name).get("volumes", []) if "configMap" in each}
    assert named <= generated


@pytest.mark.parametrize("name", ["Deployment/api", "Deployment/worker"])
def test_service_links_are_off_because_they_could_overwrite_a_setting(name: str) -> None:
    # Kubernetes sets NEOSERVE_PORT=tcp://... in every pod beside a Service that is called "neoserve".
    assert pod(name)["enableServiceLinks"] is False


@every_workload
def test_the_recommended_labels_are_there(name: str) -> None:
    assert {"app.kubernetes.io/name", "app.kubernetes.io/component"} <= set(
        workloads()[name]["metadata"]["labels"]
    )
