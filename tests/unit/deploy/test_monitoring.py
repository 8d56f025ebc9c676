"""prometheus.yml and alert_rules.yml against the metrics that the code has."""

from __future__ import annotations

import re
from typing import Any

import fakeredis
from prometheus_client import CollectorRegistry

from api.access import QUIET_ROUTES
from api.metrics import ApiMetrics
from api.queue_collector import QueueCollector
from tasks.jobs.store import JobStore
from tasks.worker.metrics import WorkerMetrics

from .files import ROOT, load, seconds

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def series(registry: CollectorRegistry | QueueCollector) -> set[str]:
    return {family.name + suffix for family in registry.collect() for suffix in SUFFIXES[family.type]}


def rules() -> list[dict[str, Any]]:
    return [rule for group in load("alert_rules.yml")["groups"] for rule in group["rules"]]


def test_every_metric_in_a_rule_is_one_that_the_code_has() -> None:
    used = {name for rule in rules() for name in re.findall(r"\bneoserve_\w+", rule["expr"])}
    assert used
    queue = QueueCollector(JobStore(fakeredis.FakeRedis(decode_responses=True)))
    assert used <= set().union(*map(series, (ApiMetrics().registry, WorkerMetrics().registry, queue)))


def test_every_recorded_series_in_a_rule_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for rule in rules() for name in re.findall(r"\bjob:[\w:]+", rule["expr"])}
    assert used == recorded == {"job:request_latency_seconds:mean5m"}


def test_the_alert_on_high_latency_is_the_one_that_was_asked_for() -> None:
    [alert] = [rule for rule in rules() if "alert" in rule]
    assert alert["alert"] == "HighRequestLatency"
    assert alert["expr"] == "job:request_latency_seconds:mean5m > 0.5"
    assert alert["for"] == "10m"
    assert alert["labels"] == {"severity": "page"}
    assert set(alert["annotations"]) == {"summary", "description"}


def test_latency_leaves_out_the_waiting_that_clients_asked_for() -> None:
    [recorded] = [rule for rule in rules() if "record" in rule]
    assert "neoserve_request_handling_seconds_sum" in recorded["expr"]
    assert "neoserve_http_request_seconds" not in recorded["expr"]


def test_latency_leaves_out_the_probes() -> None:
    [recorded] = [rule for rule in rules() if "record" in rule]
    left_out = re.findall(r'route!~"([^"]+)"', recorded["expr"])
    assert len(left_out) == 2
    assert {frozenset(each.split("|")) for each in left_out} == {QUIET_ROUTES}


def test_the_rules_are_where_prometheus_looks_for_them() -> None:
    assert load("prometheus.yml")["rule_files"] == ["alert_rules.yml"]
    assert (ROOT / "alert_rules.yml").is_file()


def test_the_exporter_has_time_to_ask_every_worker() -> None:
    [exporter] = [
        each for each in load("prometheus.yml")["scrape_configs"] if each["job_name"] == "celery-exporter"
    ]
    timeout = seconds(exporter["scrape_timeout"])
    assert 5 <= timeout <= seconds(load("prometheus.yml")["global"]["scrape_interval"])
