"""The span of a request, and what its job remembers of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.origin import Origin
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.spans import Recorder
from tests.unit.api.fakes import FakeWorker, LocalListener, register_test_model

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
TRACEPARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"
CANARY = "canary5f1e"
BODY = {"text": f"Once upon {CANARY}", "max_new_tokens": 4}
HEADERS = {"traceparent": TRACEPARENT, "X-Request-Id": "req-1"}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def traced(
    settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener, recorder: Recorder
) -> FlaskClient:
    register_test_model(store)
    app: Flask = create_app(settings, store=store, ring=ring, listener=listener, tracer=recorder.tracer)
    return app.test_client()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    assert CANARY not in span.to_json()
    return dict(span.attributes or {})


def test_a_job_belongs_to_the_clients_span_where_the_api_makes_none(
    client: FlaskClient, store: JobStore
) -> None:
    answer = client.post("/jobs", json=BODY, headers=HEADERS)
    assert answer.json is not None
    assert store.get(answer.json["id"]).origin == Origin("req-1", TRACEPARENT)


def test_a_malformed_traceparent_is_ignored(client: FlaskClient, store: JobStore) -> None:
    answer = client.post("/jobs", json=BODY, headers={"traceparent": CANARY})
    assert answer.json is not None
    origin = store.get(answer.json["id"]).origin
    assert origin == Origin(answer.headers["X-Request-Id"], "")


def test_every_item_of_a_batch_remembers_the_request(client: FlaskClient, store: JobStore) -> None:
    answer = client.post("/batches", json={"requests": [BODY, BODY]}, headers=HEADERS)
    assert answer.status_code == 202, answer.text
    keys = list(store.client.scan_iter(f"{store.namespace}:job:*"))
    origins = [store.get(str(key).rpartition(":")[2]).origin for key in keys]
    assert origins == [Origin("req-1", TRACEPARENT)] * 2


def test_a_retry_remembers_its_own_request(client: FlaskClient, store: JobStore, worker: FakeWorker) -> None:
    first = client.post("/jobs", json=BODY, headers=HEADERS).json
    assert first is not None
    worker.finish(worker.claim())
    again = client.post(f"/jobs/{first['id']}/retry", headers={"X-Request-Id": "req-2"}).json
    assert again is not None
    assert store.get(again["id"]).origin == Origin("req-2", "")


def test_the_requests_span_lies_between_the_clients_and_the_jobs(
    traced: FlaskClient, store: JobStore, recorder: Recorder
) -> None:
    answer = traced.post("/predict?wait=0", json=BODY, headers=HEADERS)
    assert answer.json is not None
    (span,) = recorder.stop()
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (TRACE, SPAN)
    assert (span.name, span.kind.name) == ("POST /predict", "SERVER")
    origin = store.get(answer.json["id"]).origin
    assert origin.traceparent.split("-")[1:3] == [f"{TRACE:032x}", f"{span.context.span_id:016x}"]
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 202,
        "neoserve.job.id": answer.json["id"],
        "neoserve.request.id": "req-1",
    }


def test_a_request_without_a_trace_begins_one(traced: FlaskClient, recorder: Recorder) -> None:
    traced.post("/jobs", json=BODY)
    (span,) = recorder.stop()
    assert span.parent is None


def test_a_refusal_is_told_by_its_code_and_is_no_failure_of_the_server(
    traced: FlaskClient, recorder: Recorder
) -> None:
    traced.post("/jobs", json={"text": CANARY, "temperature": CANARY})
    traced.get(f"/{CANARY}")
    refused, unknown = recorder.stop()
    assert attributes(refused)["neoserve.code"] == "invalid_parameter"
    assert refused.status.status_code.name == "UNSET"
    assert (unknown.name, attributes(unknown)["http.route"]) == ("GET unmatched", "unmatched")


def test_a_failure_of_the_server_is_one_in_the_trace(
    traced: FlaskClient, recorder: Recorder, store: JobStore
) -> None:
    store.client.flushall()
    traced.post("/jobs", json=BODY)
    (span,) = recorder.stop()
    assert span.status.status_code.name == "ERROR"
    assert attributes(span)["error.type"] == "no_model"


def test_probes_and_scrapes_are_not_traced(traced: FlaskClient, recorder: Recorder) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        traced.get(path)
    assert recorder.stop() == []


def test_a_request_about_an_earlier_job_links_to_its_trace(
    traced: FlaskClient, recorder: Recorder, worker: FakeWorker
) -> None:
    key = {"Idempotency-Key": "k"}
    job = traced.post("/jobs", json=BODY, headers=key).json
    assert job is not None
    traced.post("/jobs", json=BODY, headers=key)
    traced.delete(f"/jobs/{job['id']}")
    traced.post(f"/jobs/{job['id']}/retry")
    submitted, *others = recorder.stop()
    assert len(others) == 3
    for span in others:
        (link,) = span.links
        assert link.context.span_id == submitted.context.span_id
        assert span.context.trace_id != submitted.context.trace_id


def test_the_span_of_a_stream_ends_with_it(
    traced: FlaskClient, recorder: Recorder, worker: FakeWorker
) -> None:
    job = traced.post("/jobs", json=BODY).json
    assert job is not None
    worker.finish(worker.claim())
    answer = traced.get(f"/jobs/{job['id']}/events", buffered=False)
    traced.get("/info")
    assert b"done" in answer.data
    answer.close()
    assert [span.name for span in recorder.stop()] == ["POST /jobs", "GET /info", "GET /jobs/<job_id>/events"]
