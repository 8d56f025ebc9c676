"""Manifests that are made from others, and kept in the repository for those who apply them as they are."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.manifests import of_namespace, prometheus_rule, written

from .files import documented_series, load, manifests, text


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return written()


@pytest.mark.parametrize(
    "file", ["k8s/deployment.yaml", "k8s/service.yaml", "k8s/components/prometheus-operator/rules.yaml"]
)
def test_a_manifest_that_is_made_is_as_it_would_be_made_now(file: str, made: dict[str, str]) -> None:
    assert text(file) == made[file], "run `make manifests`"


def test_the_two_files_hold_the_base_but_for_the_dashboard() -> None:
    files = [*yaml.safe_load_all(text("k8s/deployment.yaml")), *yaml.safe_load_all(text("k8s/service.yaml"))]
    held = {f"{each['kind']}/{each['metadata']['name']}" for each in files}
    made = {name for name in held if name.startswith("ConfigMap/")}
    assert held - made == set(manifests())
    assert {re.sub(r"-\w+$", "", name) for name in made} == {
        "ConfigMap/neoserve-settings",
        "ConfigMap/redis-config",
    }


@pytest.mark.parametrize(
    ("expression", "limited"),
    [
        ("up", 'up{namespace="x"}'),
        ('rate(redis_a_total{b="c"}[5m])', 'rate(redis_a_total{namespace="x", b="c"}[5m])'),
        ("job:requests:rate5m * vector(1)", "job:requests:rate5m * vector(1)"),
    ],
)
def test_what_is_measured_is_taken_of_one_namespace(expression: str, limited: str) -> None:
    assert of_namespace(expression, "x") == limited


def test_a_rule_of_the_cluster_is_one_of_the_file_for_one_namespace() -> None:
    namespace = load("k8s/components/namespace/namespace.yaml")["metadata"]["name"]
    series = "|".join(name for name in documented_series() if name.startswith(("neoserve_", "redis_")))
    expressions = [rule["expr"] for group in prometheus_rule()["spec"]["groups"] for rule in group["rules"]]
    free = rf'\b(?:{series}|up)\b(?!\{{namespace="{namespace}")'
    assert [each for each in expressions if re.search(free, each)] == []
    assert any("namespace" in each for each in expressions)
