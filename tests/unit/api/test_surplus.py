"""What a request holds that its route does not take."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.surplus import BODILESS, QUERY
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import FakeWorker, rung
from tests.unit.api.test_jobs import BODY, UNKNOWN, submit


@pytest.mark.parametrize(
    ("method", "address", "takes"),
    [
        ("POST", "/predict?wiat=0", "wait"),
        ("POST", "/predict?wait=0&wiat=0", "wait"),
        ("POST", "/jobs?wiat=0", "none"),
        ("GET", "/jobs?wiat=0", "status, limit, cursor"),
        ("GET", f"/jobs/{UNKNOWN}?wiat=5", "wait"),
        ("GET", f"/jobs/{UNKNOWN}/events?wiat=1", "none"),
        ("DELETE", f"/jobs/{UNKNOWN}?wiat=1", "none"),
        ("POST", f"/jobs/{UNKNOWN}/retry?wiat=1", "none"),
        ("GET", "/batches/batch_1?wiat=1", "wait"),
        ("POST", "/batches?wiat=1", "none"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused_with_those_that_do(
    client: FlaskClient, store: JobStore, method: str, address: str, takes: str
) -> None:
    answer = client.open(address, method=method, json=BODY if method == "POST" else None)

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "invalid_parameter"
    message = f"is not a parameter of this request, which takes {takes}"
    assert answer.json["errors"] == [{"field": "wiat", "message": message}]
    assert rung(store) == []


@pytest.mark.parametrize("address", ["/", "/healthz", "/readyz", "/health", "/info", "/metrics"])
def test_probes_and_scrapers_may_add_what_keeps_caches_away(client: FlaskClient, address: str) -> None:
    assert client.get(f"{address}?_=123").status_code == 200


def test_an_address_that_is_none_is_not_judged_by_its_query(client: FlaskClient) -> None:
    assert client.get("/xyz?a=1").status_code == 404
    assert client.get("/predict?a=1").status_code == 405


@pytest.mark.parametrize("action", ["cancel", "retry"])
@pytest.mark.parametrize("body", ['{"seed": 1}', "[]", "null", "seed=1", "{"])
def test_an_action_takes_no_body(client: FlaskClient, worker: FakeWorker, action: str, body: str) -> None:
    job_id = submit(client)
    if action == "retry":
        worker.finish(worker.claim())

    answer = client.post(f"/jobs/{job_id}/{action}", data=body)

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "invalid_parameter"
    (error,) = answer.json["errors"]
    assert error["field"] == "body"
    assert error["message"].startswith("this request takes none; ")
    assert client.get(f"/jobs/{job_id}").json["status"] == ("succeeded" if action == "retry" else "queued")  # type: ignore[index]


@pytest.mark.parametrize("body", ["", "{}", " { }\n"])
def test_an_empty_object_is_no_body(client: FlaskClient, body: str) -> None:
    path = f"/jobs/{submit(client)}"
    assert client.post(f"{path}/cancel", data=body).status_code == 200
    assert client.post(f"{path}/retry", data=body).status_code == 202


def test_a_batch_is_canceled_without_a_body(client: FlaskClient) -> None:
    batch = client.post("/batches", json={"requests": [BODY]}).json
    assert batch is not None
    assert client.post(batch["urls"]["cancel"], json={"ids": [1]}).status_code == 422
    assert client.post(batch["urls"]["cancel"], json={}).status_code == 200


def test_only_endpoints_that_exist_are_described(app: Flask) -> None:
    assert {*QUERY, *BODILESS} <= set(app.view_functions)
