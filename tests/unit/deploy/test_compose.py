"""docker-compose.yml, where no other test looks."""

from __future__ import annotations

from .files import ROOT, load, services


def test_it_starts_in_order_of_health() -> None:
    for part in ("api", "worker", "celery-exporter"):
        assert services()[part]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert services()["redis"]["healthcheck"]["test"] == ["CMD", "redis-cli", "-e", "ping"]


def test_every_service_has_an_init_process_and_comes_back() -> None:
    for service in services().values():
        assert service["init"] is True
        assert service["restart"] == "unless-stopped"


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
