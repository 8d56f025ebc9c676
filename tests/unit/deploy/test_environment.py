"""Names and ports in the deployment files are those of the settings."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from api import gunicorn_conf
from api.settings import ApiSettings
from client.settings import ClientSettings
from tasks.jobs.names import QUEUE_NAME, VERSION
from tasks.worker.settings import WorkerSettings

from .files import (
    ROOT,
    containers,
    final_stage,
    image_environment,
    load,
    seconds,
    services,
    text,
    version,
)

SETTINGS: dict[str, type[Any]] = {"api": ApiSettings, "worker": WorkerSettings}

#: What other programs in these files read; see their own documentation.
FOREIGN = {
    *("CE_BROKER_URL", "CE_DEFAULT_QUEUE_NAME", "CE_QUEUES", "CE_RETRY_INTERVAL", "CE_WORKER_TIMEOUT"),
    *("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "GF_ANALYTICS_CHECK_FOR_UPDATES"),
    *("GF_ANALYTICS_REPORTING_ENABLED", "GF_NEWS_NEWS_FEED_ENABLED", "GF_PLUGINS_PREINSTALL_DISABLED"),
    *("GF_AUTH_ANONYMOUS_ENABLED", "GF_AUTH_ANONYMOUS_ORG_ROLE", "GF_AUTH_DISABLE_LOGIN_FORM"),
    *("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH", "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"),
    "REDIS_ADDR",
}

FILES = [
    *("Dockerfile.api", "Dockerfile.worker", "docker-compose.yml", "prometheus.yml", "alert_rules.yml"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "k8s").rglob("*.*")),
    *sorted(f".github/workflows/{path.name}" for path in (ROOT / ".github/workflows").iterdir()),
]

both = pytest.mark.parametrize("part", ["api", "worker"])


def names(settings: type[Any]) -> set[str]:
    return {each.metadata["name"] for each in fields(settings)}


def environment(part: str) -> dict[str, str]:
    """What the process sees under compose."""
    return {**image_environment(part), **services()[part]["environment"]}


@pytest.mark.parametrize("file", FILES)
def test_every_setting_that_a_file_names_exists(file: str) -> None:
    known = names(ApiSettings) | names(WorkerSettings) | names(ClientSettings)
    assert set(re.findall(r"\bNEOSERVE_[A-Z_]+", text(file))) <= known


@both
def test_compose_sets_only_what_that_process_reads(part: str) -> None:
    assert set(services()[part]["environment"]) <= names(SETTINGS[part])


@both
def test_compose_gives_values_that_can_be_used(part: str) -> None:
    assert SETTINGS[part].from_env(environment(part)).redis_url == "redis://redis:6379/0"


def test_other_programs_get_only_what_is_known_of_them() -> None:
    others = [each for name, each in services().items() if name not in SETTINGS]
    assert {name for each in others for name in each.get("environment", {})} == FOREIGN


def test_the_exporter_watches_our_queue_and_outlives_its_broker() -> None:
    exporter = services()["celery-exporter"]["environment"]
    assert exporter["CE_QUEUES"] == exporter["CE_DEFAULT_QUEUE_NAME"] == QUEUE_NAME
    assert exporter["CE_BROKER_URL"] == services()["worker"]["environment"]["REDIS_URL"]
    assert int(exporter["CE_RETRY_INTERVAL"]) > 0


def test_workers_tell_the_exporter_of_their_tasks() -> None:
    [command] = [json.loads(rest) for word, rest in final_stage("worker") if word == "CMD"]
    assert services()["worker"]["command"] == [*command, "--task-events"]


def test_the_code_knows_the_version_that_is_packaged() -> None:
    assert version() == VERSION


def ports(part: str) -> list[int]:
    settings = SETTINGS[part].from_env(environment(part))
    return [settings.port, settings.metrics_port] if part == "api" else [settings.metrics_port]


@both
def test_images_and_pods_open_the_ports_of_the_settings(part: str) -> None:
    [exposed] = [rest for word, rest in final_stage(part) if word == "EXPOSE"]
    assert [int(port) for port in exposed.split()] == ports(part)
    assert [each["containerPort"] for each in containers()[part]["ports"]] == ports(part)


def health_check(part: str) -> str:
    [check] = [rest for word, rest in final_stage(part) if word == "HEALTHCHECK"]
    return check


def test_the_apis_health_check_asks_the_port_of_the_settings() -> None:
    [(name, port)] = re.findall(r"\$\{(\w+):-(\d+)\}", health_check("api"))
    [default] = [each.default for each in fields(ApiSettings) if each.metadata["name"] == name]
    assert int(port) == default
    assert int(port) in ports("api")


def test_a_workers_health_check_is_whether_it_is_ready() -> None:
    assert health_check("worker").endswith('CMD ["bash", "tasks/worker/probe.sh", "ready"]')


def test_compose_publishes_what_people_look_at_on_this_machine_only() -> None:
    published = {name: each["ports"] for name, each in services().items() if "ports" in each}
    usual = {"api": ApiSettings().port, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
    assert published == {
        name: [f"127.0.0.1:${{{name.upper()}_PORT:-{port}}}:{port}"] for name, port in usual.items()
    }


def test_prometheus_scrapes_the_ports_of_the_settings() -> None:
    scrapes = {each["job_name"]: each for each in load("prometheus.yml")["scrape_configs"]}
    assert scrapes["api"]["static_configs"] == [{"targets": [f"api:{ApiSettings().metrics_port}"]}]
    [by_name] = scrapes["worker"]["dns_sd_configs"]
    assert (by_name["names"], by_name["port"]) == (["worker"], WorkerSettings().metrics_port)
    [exporter] = scrapes["celery-exporter"]["static_configs"]
    assert exporter["targets"] == ["celery-exporter:9808"]
    assert set(scrapes) - {"prometheus"} <= set(services())
    [told] = load("prometheus.yml")["alerting"]["alertmanagers"]
    assert told["static_configs"] == scrapes["alertmanager"]["static_configs"]


def test_containers_are_reachable_from_outside_themselves() -> None:
    assert ApiSettings.from_env(environment("api")).host == "0.0.0.0"
    assert WorkerSettings.from_env(environment("worker")).metrics_host == "0.0.0.0"


def test_a_worker_has_more_time_to_stop_than_it_takes() -> None:
    takes = WorkerSettings.from_env(environment("worker")).grace_seconds
    assert seconds(services()["worker"]["stop_grace_period"]) >= takes + 10


def test_the_api_has_more_time_to_stop_than_it_takes() -> None:
    assert seconds(services()["api"]["stop_grace_period"]) >= gunicorn_conf.graceful_timeout + 10
