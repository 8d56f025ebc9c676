"""docker-compose.yml, where no other test looks."""

from __future__ import annotations

import json

from .files import ROOT, final_stage, load, services


def test_it_starts_in_order_of_health() -> None:
    for part in ("api", "worker", "celery-exporter"):
        assert services()[part]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert services()["redis"]["healthcheck"]["test"] == ["CMD", "redis-cli", "-e", "ping"]


def test_every_service_has_an_init_process_and_comes_back() -> None:
    for name, service in services().items():
        # Ours have one in the image.
        assert service.get("init", False) is (name not in ("api", "worker"))
        assert service["restart"] == "unless-stopped"


def test_redis_is_reached_by_those_who_work_with_it_alone() -> None:
    neighbours = {name for name, each in services().items() if "jobs" in each["networks"]}
    assert neighbours == {"api", "worker", "redis", "celery-exporter", "redis-exporter"}


def test_every_log_has_a_limit() -> None:
    assert {each["logging"]["options"]["max-size"] for each in services().values()} == {"10m"}


def test_for_development_the_code_is_mounted_where_the_images_have_theirs() -> None:
    for name, each in load("docker-compose.dev.yml")["services"].items():
        for mount in each["volumes"]:
            source, target, mode = mount.split(":")
            assert (ROOT / source).is_dir()
            assert (target, mode) == (f"/app/{source.removeprefix('./')}", "ro")
        assert name in services()
    [command] = [json.loads(rest) for word, rest in final_stage("api") if word == "CMD"]
    assert load("docker-compose.dev.yml")["services"]["api"]["command"] == [
        command[0],
        "--reload",
        *command[1:],
    ]


def test_everything_mounted_exists() -> None:
    declared = set(load("docker-compose.yml")["volumes"])
    for service in services().values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in declared


def test_redis_keeps_what_it_accepted() -> None:
    lines = (ROOT / "k8s/base/redis.conf").read_text().splitlines()
    config = dict(line.split(None, 1) for line in lines if line[0] != "#")
    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"
    assert f"redis-data:{config['dir']}" in services()["redis"]["volumes"]
