"""What containers are told is what their programs read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting
from tasks.worker.health_file import VARIABLE
from tasks.worker.settings import WorkerSettings
from tests.unit.deploy.files import image_environment, services, text

from .cluster import Cluster, pod
from .environment import environment
from .rendering import BASE, PRODUCTION, every_kustomization, rendered

SETTINGS: dict[str, Any] = {"api": ApiSettings, "worker": WorkerSettings}

#: The variable that leads each to Redis.
ADDRESSES = {"api": "REDIS_URL", "worker": "REDIS_URL", "celery-exporter": "CE_BROKER_URL"}


def container(cluster: Cluster, name: str) -> dict[str, Any]:
    [found] = pod(cluster.get(f"Deployment/{name}"))["containers"]
    assert isinstance(found, dict)
    return found


def told(folder: str, name: str) -> dict[str, str]:
    """The variables of an overlay's container, with the Secret that the example would make."""
    example = dict(re.findall(r"^(\w+)=(.*)$", text("k8s/components/redis-password/redis.env.example"), re.M))
    secret = {"kind": "Secret", "metadata": {"name": "neoserve-redis"}, "stringData": example}
    cluster = Cluster([*rendered(folder).objects, secret])
    return environment(cluster, container(cluster, name))


@every_kustomization
@pytest.mark.parametrize("part", ["api", "worker"])
def test_our_programs_can_use_what_they_are_told(folder: str, part: str) -> None:
    settings = SETTINGS[part].from_env(image_environment(part) | told(folder, part))
    secret = ":change-me@" if folder.startswith(PRODUCTION) else ""
    assert settings.redis_url == f"redis://{secret}redis:6379/0"


@every_kustomization
def test_all_that_talk_to_redis_talk_to_the_same(folder: str) -> None:
    addresses = {told(folder, name)[variable] for name, variable in ADDRESSES.items()}
    assert len(addresses) == 1
    host, port = re.fullmatch(r"redis://(?:.*@)?([\w-]+):(\d+)/0", addresses.pop()).groups()  # type: ignore[union-attr]
    assert int(port) in {each["port"] for each in rendered(folder).get(f"Service/{host}")["spec"]["ports"]}
    assert told(folder, "redis-exporter")["REDIS_ADDR"] == f"redis://{host}:{port}"


@every_kustomization
def test_exporters_are_told_what_they_are_told_by_compose(folder: str) -> None:
    for name in ("celery-exporter", "redis-exporter"):
        here = told(folder, name)
        changed = {"CE_BROKER_URL", "REDIS_PASSWORD"}
        there = services()[name]["environment"]
        assert {key: value for key, value in here.items() if key not in changed} == {
            key: value for key, value in there.items() if key not in changed
        }


@every_kustomization
def test_who_asks_for_a_password_and_who_answers_agree(folder: str) -> None:
    redis = pod(rendered(folder).get("StatefulSet/redis"))["containers"][0]
    asks = any("requirepass" in each for each in redis.get("args", []))
    assert (
        asks
        == ("@" in told(folder, "api")["REDIS_URL"])
        == ("REDIS_PASSWORD" in told(folder, "redis-exporter"))
    )


@every_kustomization
def test_a_worker_writes_its_health_where_its_read_only_root_lets_it(folder: str) -> None:
    mounts = {each["mountPath"] for each in container(rendered(folder), "worker")["volumeMounts"]}
    assert str(Path(image_environment("worker")[VARIABLE]).parent) in mounts
    assert mounts == set(services()["worker"]["tmpfs"])


def test_a_value_that_a_program_refuses_is_found() -> None:
    wrong = [{"name": "NEOSERVE_GRACE_SECONDS", "value": "soon"}]
    cluster = rendered(BASE).changed("Deployment/worker", "spec/template/spec/containers/0/env", wrong)
    with pytest.raises(InvalidSetting, match="NEOSERVE_GRACE_SECONDS"):
        WorkerSettings.from_env(environment(cluster, container(cluster, "worker")))
