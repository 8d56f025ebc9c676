"""The dashboard, and how Grafana comes to it; its queries run in tests/integration/monitoring."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests import dashboard
from tests.promql import added_up, series_of

from .files import documented_series, kustomization, load, services

#: Those that Grafana knows, as far as they are used here.
UNITS = {"bytes", "ops", "percentunit", "reqps", "s", "short", "suffix: tok/s"}

#: A dashed line of a panel is the threshold of these alerts.
LINES = {
    "Failures": ("JobsFail", "ServerErrors"),
    "End to end, 95 % of the jobs": ("SlowSyncJobs",),
    "First token, and each next": ("SlowTokens",),
    "The API's own time": ("HighRequestLatency",),
    "Oldest waits since": ("OldestJobWaits",),
}

every_panel = pytest.mark.parametrize("panel", dashboard.panels(), ids=lambda panel: panel["title"])


def alerts() -> dict[str, str]:
    """Name to expression."""
    groups = load("alert_rules.yml")["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_it_asks_the_four_questions_and_answers_each_on_one_line_of_the_screen() -> None:
    rows = dashboard.rows()
    assert list(rows) == [
        "Are users happy?",
        "Is the queue healthy?",
        "Are the workers healthy?",
        "What does the model do?",
    ]
    for panels in rows.values():
        places = [each["gridPos"] for each in panels]
        assert len({place["y"] for place in places}) == 1
        assert [place["x"] for place in places] == [0, 4, 8, 12, 16, 20]
        assert {place["w"] for place in places} == {4}
    # 24 units of 38 pixels, which a screen of 1080 has room for.
    assert max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in dashboard.panels()) == 24


def test_no_two_panels_have_the_same_id_or_title() -> None:
    panels = dashboard.load()["panels"]
    for name in ("id", "title"):
        assert len({each[name] for each in panels}) == len(panels)


@every_panel
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["type"] == "timeseries"
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS


@every_panel
def test_a_panel_asks_the_prometheus_that_was_chosen(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all("datasource" not in target for target in panel["targets"])
    assert [target["refId"] for target in panel["targets"]] == list("ABC")[: len(panel["targets"])]


def test_no_query_depends_on_one_deployment() -> None:
    assert {each["name"] for each in dashboard.load()["templating"]["list"]} == {"datasource", "filters"}
    for _, legend, query in dashboard.queries():
        assert not re.search(r"\b(job|instance|pod|namespace)\s*=", query)  # They differ from place to place.
        assert set(re.findall(r"\[([^]]*)\]", query)) <= {"$__rate_interval"}
        assert legend


def test_every_metric_of_a_query_is_documented() -> None:
    named = {name for _, _, query in dashboard.queries() for name in series_of(query)}
    assert "neoserve_job_latency_seconds_bucket" in named
    assert named - documented_series() == set()


def test_what_every_api_process_reports_alike_is_never_added_up_over_them() -> None:
    assert [each for _, _, query in dashboard.queries() for each in added_up(query)] == []


def test_a_dashed_line_is_the_threshold_of_its_alerts() -> None:
    dashed = {}
    for panel in dashboard.panels():
        defaults = panel["fieldConfig"]["defaults"]
        if "thresholdsStyle" in defaults["custom"]:
            _, line = defaults["thresholds"]["steps"]
            dashed[panel["title"]] = (line["value"], panel["description"])
    assert dashed.keys() == LINES.keys()
    for title, (value, description) in dashed.items():
        for alert in LINES[title]:
            assert re.search(rf"> {value:g}(?!\d|\.)", alerts()[alert])
            assert alert in description


@every_panel
def test_an_alert_that_a_description_names_exists(panel: dict[str, Any]) -> None:
    named = re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", panel["description"])
    assert set(named) <= set(alerts())


def mounts() -> dict[str, str]:
    """Where Grafana sees a file of ours, to the file."""
    pairs = [mount.split(":")[:2] for mount in services()["grafana"]["volumes"]]
    return {target: source.removeprefix("./") for source, target in pairs}


def test_grafana_finds_the_dashboard_where_it_is_told_to_look() -> None:
    [place] = [target for target, source in mounts().items() if source == "k8s/base/grafana/dashboard.json"]
    [provider] = load("k8s/base/grafana/dashboards.yml")["providers"]
    assert provider["options"]["path"] == str(PurePosixPath(place).parent)
    assert services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == place
    provisioning = PurePosixPath("/etc/grafana/provisioning")
    folders = {PurePosixPath(target).parent: source for target, source in mounts().items()}
    assert folders[provisioning / "dashboards"] == "k8s/base/grafana/dashboards.yml"
    assert folders[provisioning / "datasources"] == "k8s/base/grafana/datasource.yml"


def test_grafana_asks_our_prometheus_and_knows_how_often_that_scrapes() -> None:
    [source] = load("k8s/base/grafana/datasource.yml")["datasources"]
    [port] = [each.split(":")[-1] for each in services()["prometheus"]["ports"]]
    assert source["url"] == f"http://prometheus:{port}"
    assert source["isDefault"] is True  # Which the dashboard begins with.
    assert source["jsonData"]["timeInterval"] == load("prometheus.yml")["global"]["scrape_interval"]


def test_nobody_can_change_anything_in_grafana() -> None:
    environment = services()["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert services()["grafana"]["read_only"] is True


def test_the_cluster_gets_the_same_dashboard_under_one_name() -> None:
    [found] = [each for each in kustomization()["configMapGenerator"] if each["name"] == "neoserve-dashboard"]
    assert found["files"] == ["neoserve.json=grafana/dashboard.json"]
    assert found["options"] == {"disableNameSuffixHash": True, "labels": {"grafana_dashboard": "1"}}
    # `kubectl apply` keeps a copy in an annotation, which holds 256 KiB.
    assert dashboard.PATH.stat().st_size < 200_000
