"""A fault is injected into the real stack; somebody is told of it, and told again when it is repaired."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
import yaml

from tests.integration.monitoring.deployed import ROOT
from tests.integration.monitoring.watched import Watched
from tests.promql import series_of
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with ExitStack() as stack:
        watched = Watched(tmp_path_factory.mktemp("watched"))
        watched.start(stack)
        yield watched


def test_all_that_the_rules_name_is_there_and_nothing_fires_but_the_watchdog(watched: Watched) -> None:
    watched.fleet.submit("well", num_tokens=8)
    watched.fleet.wait_status("well", "succeeded")
    refused = httpx.post(
        f"{watched.api.url}/jobs", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert refused.status_code == 400
    groups = yaml.safe_load((ROOT / "alert_rules.yml").read_text(encoding="utf-8"))["groups"]
    named = {name for group in groups for rule in group["rules"] for name in series_of(rule["expr"])}
    raw = {name for name in named if ":" not in name} - {"prometheus_rule_evaluation_failures_total"}
    for name in sorted(raw):
        wait_until(lambda name=name: watched.prometheus.query(name), f"{name} is there")  # type: ignore[misc]
    watched.receiver.wait_for("watchdog", "Watchdog", "firing")
    firing = watched.prometheus.query('ALERTS{alertstate="firing"}')
    assert {each["metric"]["alertname"] for each in firing} == {"Watchdog"}


def test_rules_are_evaluated_without_errors(watched: Watched) -> None:
    groups = watched.prometheus.get("/api/v1/rules")["data"]["groups"]
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []


def test_prometheus_understands_every_query_of_the_runbook(watched: Watched) -> None:
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    quoted = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page)
    queries = [
        each for each in quoted if re.match(r"(sum|rate|time|histogram_quantile)\b.*\(|\w+\{|neoserve_", each)
    ]
    assert len(queries) > 20
    for each in queries:
        watched.prometheus.query(each)


def test_a_queue_that_stands_still_pages_until_it_moves(watched: Watched) -> None:
    since = len(watched.receiver.told)
    watched.worker.signal(signal.SIGSTOP)
    try:
        watched.fleet.submit("stuck", num_tokens=8)
        told = watched.receiver.wait_for("pages", "QueueStuck", "firing", since=since)
    finally:
        watched.worker.signal(signal.SIGCONT)
    assert told.annotations["summary"] == "1 jobs wait, and nothing is done."
    watched.fleet.wait_status("stuck", "succeeded")
    watched.receiver.wait_for("pages", "QueueStuck", "resolved", since=since)


def test_a_redis_that_is_stopped_pages_until_it_is_back(watched: Watched) -> None:
    since = len(watched.receiver.told)
    watched.server.stop()
    try:
        watched.receiver.wait_for("pages", "RedisDown", "firing", since=since)
    finally:
        watched.server.start()
    watched.receiver.wait_for("pages", "RedisDown", "resolved", since=since)


@pytest.mark.slow
def test_a_worker_that_is_killed_pages_until_another_is_there(watched: Watched) -> None:
    since = len(watched.receiver.told)
    watched.worker.signal(signal.SIGKILL)
    try:
        watched.receiver.wait_for("tickets", "TargetDown", "firing", since=since)
        watched.receiver.wait_for("pages", "NoWorkers", "firing", since=since)
    finally:
        watched.start_worker()
    watched.receiver.wait_for("pages", "NoWorkers", "resolved", since=since)
    watched.receiver.wait_for("tickets", "TargetDown", "resolved", since=since)
