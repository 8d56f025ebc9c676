"""Every error has one shape, whichever part refuses."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs import errors as jobs_errors
from tasks.jobs.errors import JobsError, StoreUnavailable
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import LocalListener

BODY = {"text": "Once upon a time"}
JOB = f"/jobs/job_{'0' * 32}"


class Unreachable(redis.Redis):
    """A server behind an address that nobody answers."""

    def execute_command(self, *args: object, **options: object) -> object:
        raise redis.ConnectionError("Error 111 connecting to 10.1.2.3:6379. Connection refused.")


@pytest.fixture
def cut_off(settings: ApiSettings, ring: RecordingRing, listener: LocalListener) -> FlaskClient:
    """An API whose Redis is away."""
    return create_app(settings, store=JobStore(Unreachable()), ring=ring, listener=listener).test_client()


def assert_is_problem(answer: TestResponse, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["status"] == status
    assert answer.json["code"] == code
    assert answer.json["type"] == "about:blank"
    assert answer.json["title"]
    assert answer.json["detail"]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda client: client.get("/nowhere"), 404, "not_found"),
        (lambda client: client.get("/predict/"), 404, "not_found"),
        (lambda client: client.get("/jobs//x"), 404, "not_found"),
        (lambda client: client.get("/%00%ff/../etc"), 404, "not_found"),
        (lambda client: client.get("/predict"), 405, "method_not_allowed"),
        (lambda client: client.put(JOB), 405, "method_not_allowed"),
        (lambda client: client.open("/healthz", method="BREW"), 405, "method_not_allowed"),
        (lambda client: client.post("/predict", data="{"), 415, "unsupported_media_type"),
        (
            lambda client: client.post("/predict", data="{", content_type="application/json"),
            400,
            "malformed_json",
        ),
        (lambda client: client.post("/predict", json=[]), 400, "malformed_json"),
        (lambda client: client.post("/predict", json={}), 422, "invalid_parameter"),
        (lambda client: client.post("/jobs", json={"text": "a", "top_k": -1}), 422, "invalid_parameter"),
        (lambda client: client.post("/predict?wait=x", json=BODY), 422, "invalid_parameter"),
        (lambda client: client.get(f"{JOB}?wait=x"), 422, "invalid_parameter"),
        (lambda client: client.post("/predict", json={"text": "z" * 300}), 422, "prompt_too_long"),
        (lambda client: client.post("/predict", json={**BODY, "max_length": 1}), 422, "prompt_too_long"),
        (lambda client: client.post("/jobs", json={"text": "z" * 300_000}), 413, "payload_too_large"),
        (lambda client: client.get(JOB), 404, "job_not_found"),
        (lambda client: client.delete(JOB), 404, "job_not_found"),
        (lambda client: client.post(f"{JOB}/cancel"), 404, "job_not_found"),
    ],
)
def test_every_refusal_is_a_problem_document(
    client: FlaskClient, call: Callable[[FlaskClient], TestResponse], status: int, code: str
) -> None:
    assert_is_problem(call(client), status, code)


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        (
            "GET",
            "/xyz",
            "There is nothing at /xyz. Texts: POST /predict; jobs: /jobs/<id>; limits: /info.",
        ),
        ("POST", "/predict/", "There is nothing at /predict/. Leave the slash out: /predict."),
        ("GET", "/jobs/", "There is nothing at /jobs/. Leave the slash out: /jobs."),
        ("GET", "/predict", "/predict takes POST, not GET."),
        ("PUT", "/jobs/x", "/jobs/x takes DELETE or GET, not PUT."),
    ],
)
def test_a_wrong_address_or_method_is_answered_with_the_right_ones(
    client: FlaskClient, method: str, path: str, detail: str
) -> None:
    assert client.open(path, method=method).json["detail"] == detail  # type: ignore[index]


def test_a_wrong_address_comes_back_short_and_printable(client: FlaskClient) -> None:
    detail = client.get("/%1b[31m%00" + "x" * 5000).json["detail"]  # type: ignore[index]
    assert detail.isprintable()
    assert len(detail) < 200


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.post("/predict?wait=60", json=BODY),
        lambda client: client.post("/jobs", json=BODY),
        lambda client: client.get(f"{JOB}?wait=60"),
        lambda client: client.delete(JOB),
        lambda client: client.post(f"{JOB}/cancel"),
        lambda client: client.get("/info"),
    ],
)
def test_every_route_that_needs_the_store_says_when_it_is_away(
    cut_off: FlaskClient, caplog: pytest.LogCaptureFixture, call: Callable[[FlaskClient], TestResponse]
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = call(cut_off)

    assert_is_problem(answer, 503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "10.1.2.3" not in answer.text
    assert "10.1.2.3" in caplog.text


def test_a_job_of_a_version_too_far_away_is_refused_with_both_versions(
    client: FlaskClient, store: JobStore
) -> None:
    job_id = client.post("/jobs", json=BODY).json["id"]  # type: ignore[index]
    store.client.hset(f"{store.namespace}:job:{job_id}", "schema", SCHEMA_VERSION + 2)
    for method in ("GET", "DELETE"):
        answer = client.open(f"/jobs/{job_id}", method=method)
        assert_is_problem(answer, 503, "other_version")
        assert answer.headers["Retry-After"]
        assert f"version {SCHEMA_VERSION + 2}," in answer.text
        assert f"version {SCHEMA_VERSION}:" in answer.text


def test_only_who_may_have_submitted_hears_of_the_idempotency_key(cut_off: FlaskClient) -> None:
    assert "Idempotency-Key" in cut_off.post("/jobs", json=BODY).text
    assert "Idempotency-Key" not in cut_off.get(JOB).text


def test_a_body_that_is_too_large_hears_its_size_and_the_limit(client: FlaskClient) -> None:
    body = b" " * 300_014
    answer = client.post("/jobs", data=body, content_type="application/json")
    assert answer.json is not None
    assert answer.json["detail"] == "The body has 300014 bytes; the limit is 262144 bytes."
    chunked = client.post(
        "/jobs",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert chunked.json is not None
    assert chunked.json["detail"] == "The body has more than 262144 bytes; the limit is 262144 bytes."


def test_the_process_is_alive_and_ready_without_the_store(cut_off: FlaskClient) -> None:
    assert cut_off.get("/healthz").status_code == 200
    assert cut_off.get("/readyz").status_code == 200
    assert "neoserve_store_up 0.0" in cut_off.get("/metrics").text


def test_a_defect_of_ours_is_a_problem_document_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(self: JobStore, job_id: str, *, owner: str = "") -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(JobStore, "get", break_down)
    answer = app.test_client().get(JOB)

    assert_is_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text


def test_the_allowed_methods_are_named(client: FlaskClient) -> None:
    assert client.get("/predict").headers["Allow"] == "OPTIONS, POST"


def test_every_refusal_of_the_store_has_a_status() -> None:
    from api.problems import STATUS_OF_STORE_ERROR

    kinds = {
        kind
        for kind in vars(jobs_errors).values()
        if isinstance(kind, type) and issubclass(kind, JobsError) and kind is not JobsError
    }
    assert kinds - STATUS_OF_STORE_ERROR.keys() == {
        jobs_errors.RingFailed,  # never reaches a client
        jobs_errors.QueueFull,  # has a setting
        jobs_errors.BatchesFull,  # says when, as measured
    }


def test_the_clients_request_id_comes_back(client: FlaskClient) -> None:
    for path in ("/healthz", "/nowhere", JOB):
        assert client.get(path, headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"


@pytest.mark.parametrize("bad", ["", "a b", "a" * 129, "ä", "<script>"])
def test_an_unusable_request_id_is_replaced(client: FlaskClient, bad: str) -> None:
    ids = {client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] for _ in range(2)}

    assert len(ids) == 2
    assert bad not in ids


def test_losing_the_store_while_waiting_loses_no_job(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: JobStore, job_id: str, *, owner: str = "") -> None:
        raise StoreUnavailable

    monkeypatch.setattr(JobStore, "get", away)
    answer = client.post("/predict?wait=0.01", json=BODY)

    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.headers["Location"] == f"/jobs/{answer.json['id']}"
