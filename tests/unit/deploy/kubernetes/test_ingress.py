"""What the world outside can reach of the API, where an overlay takes the example in."""

from __future__ import annotations

from typing import Any

import pytest

from .cluster import Cluster
from .references import missing
from .rendering import PRODUCTION, every_kustomization, rendered
from .schemas import VERSIONS, complaint
from .served import app

#: For those who run it.
INSIDE = {"/metrics", "/healthz", "/readyz"}


def ingress() -> dict[str, Any]:
    return rendered("k8s/components/ingress").get("Ingress/api")


def leads(path: str) -> bool:
    """Whether one of the rules takes it to the API."""
    [rule] = ingress()["spec"]["rules"]
    return any(
        path == each["path"] or (each["pathType"] == "Prefix" and path.startswith(f"{each['path']}/"))
        for each in rule["http"]["paths"]
    )


def routes() -> list[str]:
    return [rule.rule for rule in app().url_map.iter_rules()]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_is_known(version: str) -> None:
    assert complaint(ingress(), version) == ""


def test_it_leads_to_all_that_is_for_clients() -> None:
    assert [path for path in routes() if path not in INSIDE and not leads(path)] == []


def test_it_does_not_lead_to_what_is_for_those_who_run_it() -> None:
    assert set(routes()) >= INSIDE
    assert [path for path in INSIDE if leads(path)] == []


def test_every_path_of_it_is_one_of_the_api() -> None:
    [rule] = ingress()["spec"]["rules"]
    for each in rule["http"]["paths"]:
        assert any(path == each["path"] or path.startswith(f"{each['path']}/") for path in routes())


def test_it_names_the_service_of_the_api_and_nothing_else_but_a_certificate() -> None:
    production = rendered(PRODUCTION).objects
    missed = missing(Cluster(production))
    assert missing(Cluster([*production, ingress()])) - missed == {("Secret", "neoserve-tls", "")}
    alone = missing(Cluster([ingress()]))
    assert alone == {("Secret", "neoserve-tls", ""), ("Service", "api", "http")}


@every_kustomization
def test_no_service_leads_to_the_metrics(folder: str) -> None:
    # What a Service has may end up behind an Ingress.
    for service in rendered(folder).of_kind("Service"):
        assert "metrics" not in {port["targetPort"] for port in service["spec"]["ports"]}
