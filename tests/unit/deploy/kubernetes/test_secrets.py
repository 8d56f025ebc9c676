"""No secret stands where everybody who may look at a manifest or a pod can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from .cluster import Cluster, containers, title
from .rendering import BASE, every_kustomization, rendered

#: A user's password in an address, a setting by that name, a password in Redis' own words.
SECRET = re.compile(
    r"://[^/\s:@]*:(?!\$\()[^/\s@]+@"
    r"|(?im:^[\w.-]*(password|passwd|secret|token|api_?key|auth)=(?!\$\()\S)"
    r"|(?im:^\s*-*(requirepass|masterauth|user)[ =](?!\$\()\S)"
)


def told(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """(where, text) of all that is not in a Secret."""
    for each in cluster.of_kind("ConfigMap"):
        for key, value in each["data"].items():
            yield f"{title(each)}/{key}", f"{key}={value}" if "\n" not in value else value
    for name, container in containers(cluster):
        for variable in container.get("env", []):
            yield f"{name}/{variable['name']}", f"{variable['name']}={variable.get('value', '')}"
        arguments = " ".join([*container.get("command", []), *container.get("args", [])])
        yield f"{name}/args", arguments.replace(" --", "\n--")


def complaints(cluster: Cluster) -> list[str]:
    in_git = [title(each) for each in cluster.of_kind("Secret")]
    return in_git + [where for where, text in told(cluster) if SECRET.search(text)]


@every_kustomization
def test_no_manifest_tells_a_secret(folder: str) -> None:
    assert complaints(rendered(folder)) == []


CONTAINER = "spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Deployment/api", "env", [{"name": "REDIS_URL", "value": "redis://:hunter2@redis:6379/0"}]),
        ("Deployment/api", "env", [{"name": "REDIS_URL", "value": "redis://app:hunter2@redis:6379/0"}]),
        ("Deployment/api", "env", [{"name": "REDIS_PASSWORD", "value": "hunter2"}]),
        ("StatefulSet/redis", "args", ["--requirepass", "hunter2"]),
        ("StatefulSet/redis", "args", ["--requirepass hunter2"]),
    ],
)
def test_one_in_a_pod_is_found(name: str, path: str, value: object) -> None:
    assert complaints(rendered(BASE).changed(name, f"{CONTAINER}/{path}", value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("REDIS_URL", "redis://:hunter2@redis:6379/0"),
        ("API_TOKEN", "hunter2"),
        ("redis.conf", "dir /data\nrequirepass hunter2\n"),
        ("users.acl", "user api on >hunter2 ~* +@all\nuser default off\n"),
    ],
)
def test_one_in_a_config_map_is_found(key: str, value: str) -> None:
    settings = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {key: value}}
    assert complaints(Cluster([settings])) == [f"ConfigMap/settings/{key}"]


def test_a_secret_that_is_named_and_not_told_is_none() -> None:
    arguments = ["--requirepass", "$(REDIS_PASSWORD)"]
    address = [{"name": "REDIS_URL", "value": "redis://:$(REDIS_PASSWORD)@redis:6379/0"}]
    base = rendered(BASE).changed("StatefulSet/redis", f"{CONTAINER}/args", arguments)
    assert complaints(base.changed("Deployment/api", f"{CONTAINER}/env", address)) == []
