"""prometheus.yml and alert_rules.yml against the metrics that the code has."""

from __future__ import annotations

import re
from typing import Any

from api.access import QUIET_ROUTES
from tests.promql import added_up, series_of

from .files import ROOT, documented_series, load, seconds, text


def rules() -> list[dict[str, Any]]:
    return [rule for group in load("alert_rules.yml")["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> dict[str, str]:
    """Name to expression."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def test_every_metric_in_a_rule_is_documented_or_recorded() -> None:
    named = {name for rule in rules() for name in series_of(rule["expr"])}
    assert "neoserve_job_latency_seconds_bucket" in named
    assert named - documented_series() - set(recorded()) == set()


def test_what_is_recorded_is_used() -> None:
    assert set(recorded()) <= {name for rule in rules() for name in series_of(rule["expr"])}


def test_what_every_api_process_reports_alike_is_never_added_up_over_them() -> None:
    assert added_up("sum(neoserve_workers)") == ["neoserve_workers"]
    assert [each for rule in rules() for each in added_up(rule["expr"])] == []


def test_the_alert_on_high_latency_is_the_one_that_was_asked_for() -> None:
    [alert] = [rule for rule in alerts() if rule["alert"] == "HighRequestLatency"]
    assert alert["expr"] == "job:request_latency_seconds:mean5m > 0.5"
    assert alert["for"] == "10m"
    assert alert["labels"] == {"severity": "page"}


def test_latency_leaves_out_the_waiting_that_clients_asked_for() -> None:
    expression = recorded()["job:request_latency_seconds:mean5m"]
    assert series_of(expression) == {
        "neoserve_request_handling_seconds_sum",
        "neoserve_request_handling_seconds_count",
    }


def test_requests_leave_out_the_probes() -> None:
    for name, count in {
        "job:request_latency_seconds:mean5m": 2,
        "job:requests:rate5m": 1,
        "job:server_errors:rate5m": 1,
    }.items():
        left_out = re.findall(r'route!~"([^"]+)"', recorded()[name])
        assert [frozenset(each.split("|")) for each in left_out] == [QUIET_ROUTES] * count


def test_every_alert_says_what_it_means_and_leads_to_its_section_of_the_runbook() -> None:
    sections = re.findall(r"^### (\w+)$", text("docs/runbook.md"), re.M)
    assert sections == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        notes = alert["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}
        assert notes["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_every_section_of_the_runbook_says_the_same_of_its_alert() -> None:
    for section in text("docs/runbook.md").split("\n### ")[1:]:
        name, _, body = section.partition("\n")
        found = re.findall(r"^\*\*(.+?)\.\*\* ", body, re.M)
        assert found == ["Means", "Users notice", "Threshold", "Look at", "Do"], name


def test_the_rules_are_where_prometheus_looks_for_them() -> None:
    assert load("prometheus.yml")["rule_files"] == ["alert_rules.yml"]
    assert (ROOT / "alert_rules.yml").is_file()


def test_the_exporter_has_time_to_ask_every_worker() -> None:
    [exporter] = [
        each for each in load("prometheus.yml")["scrape_configs"] if each["job_name"] == "celery-exporter"
    ]
    timeout = seconds(exporter["scrape_timeout"])
    assert 5 <= timeout <= seconds(load("prometheus.yml")["global"]["scrape_interval"])


def test_the_runbook_names_metrics_that_there_are() -> None:
    named = set(re.findall(r"\b(?:neoserve|redis)_[a-z_]+", text("docs/runbook.md")))
    assert named <= documented_series() | {name.removesuffix("_bucket") for name in documented_series()}
