"""What the Prometheus Operator and KEDA are told to look at, and what KEDA asks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.promql import added_up, series_of
from tests.unit.deploy.files import documented_series, load

from .cluster import NOTHING, Cluster, pod, title
from .rendering import OPERATORS, rendered

DRAIN_TIME = "spec/triggers/0/metadata"


def opens(workload: dict[str, Any], port: str) -> bool:
    return port in {each["name"] for one in pod(workload)["containers"] for each in one["ports"]}


def scraped(cluster: Cluster) -> list[tuple[str, str]]:
    """(workload, job), once for each time that a monitor finds it at a port that it opens."""
    return [
        (title(workload), workload["spec"]["template"]["metadata"]["labels"][monitor["spec"]["jobLabel"]])
        for monitor in cluster.of_kind("PodMonitor")
        for workload in cluster.selected(monitor["spec"]["selector"])
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
        if opens(workload, endpoint["port"])
    ]


def unwatched(cluster: Cluster) -> list[str]:
    """Endpoints of monitors that lead nowhere."""
    return [
        f"{title(monitor)}: {endpoint['port']}"
        for monitor in cluster.of_kind("PodMonitor")
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
        if not any(opens(each, endpoint["port"]) for each in cluster.selected(monitor["spec"]["selector"]))
    ]


def test_every_pod_that_opens_metrics_is_scraped_once_under_the_name_that_the_rules_know() -> None:
    cluster = rendered(OPERATORS)
    jobs = {each["job_name"] for each in load("prometheus.yml")["scrape_configs"]}
    assert sorted(scraped(cluster)) == sorted(
        (title(each), each["metadata"]["name"]) for each in cluster.workloads if opens(each, "metrics")
    )
    assert {job for _, job in scraped(cluster)} == jobs - {"prometheus", "alertmanager"}
    assert unwatched(cluster) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/selector/matchLabels", {"app.kubernetes.io/name": "neo"}),
        ("spec/podMetricsEndpoints/0/port", "metric"),
    ],
)
def test_a_monitor_of_nothing_is_found(path: str, value: object) -> None:
    assert unwatched(rendered(OPERATORS).changed("PodMonitor/neoserve", path, value))


def test_a_scrape_of_the_cluster_has_the_time_that_it_has_in_compose() -> None:
    [compose] = [
        each for each in load("prometheus.yml")["scrape_configs"] if each["job_name"] == "celery-exporter"
    ]
    [endpoint] = rendered(OPERATORS).get("PodMonitor/exporters")["spec"]["podMetricsEndpoints"]
    assert endpoint["scrapeTimeout"] == compose["scrape_timeout"]


def triggers(cluster: Cluster) -> list[dict[str, str]]:
    return [
        trigger["metadata"]
        for each in cluster.of_kind("ScaledObject")
        for trigger in each["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]


def misled(cluster: Cluster) -> list[str]:
    """What would scale by other than what is meant, or by nothing at all."""
    complaints = []
    namespaces = cluster.named("Namespace")
    for each in triggers(cluster):
        query = each["query"]
        complaints += [f"no metric {name}" for name in sorted(series_of(query) - documented_series())]
        complaints += [f"adds up {name}" for name in added_up(query)]
        for name in namespaces:
            if query.count("neoserve_") != query.count(f'namespace="{name}"'):
                complaints.append(f"other namespaces than {name}: {query}")
        # By default, what is not there counts as 0: a Prometheus that is away would end workers.
        if each.get("ignoreNullValues") != "false":
            complaints.append("nothing is taken for 0")
    return complaints + [
        f"{title(each)}: no fallback"
        for each in cluster.of_kind("ScaledObject")
        if "fallback" not in each["spec"]
    ]


def test_keda_asks_for_what_the_code_measures_and_takes_silence_for_silence() -> None:
    assert len(triggers(rendered(OPERATORS))) >= 1
    assert misled(rendered(OPERATORS)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{DRAIN_TIME}/query", 'max(neoserve_queue_wait{namespace="neoserve"})'),
        (f"{DRAIN_TIME}/query", "max(neoserve_workers)"),
        (f"{DRAIN_TIME}/query", 'max(neoserve_workers{namespace="default"})'),
        (f"{DRAIN_TIME}/query", 'sum(neoserve_workers{namespace="neoserve"})'),
        (f"{DRAIN_TIME}/ignoreNullValues", NOTHING),
        ("spec/fallback", NOTHING),
    ],
)
def test_a_question_about_something_else_is_found(path: str, value: object) -> None:
    assert misled(rendered(OPERATORS).changed("ScaledObject/worker", path, value))


def test_where_keda_falls_back_to_is_within_its_bounds() -> None:
    spec = rendered(OPERATORS).get("ScaledObject/worker")["spec"]
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    # A fallback counts only for triggers of this type.
    assert {each["metricType"] for each in spec["triggers"]} == {"AverageValue"}
