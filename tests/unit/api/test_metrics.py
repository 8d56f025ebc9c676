from __future__ import annotations

import logging
import re
from io import BytesIO
from threading import Event
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.service import EXTENSION
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.pace import set_pace
from tests.unit.api.fakes import FakeWorker

BODY = {"text": "Once upon a time"}
CANARY = "canary-in-the-prompt"


def value(app: Flask, name: str, **labels: str) -> float | None:
    sample: float | None = app.extensions[EXTENSION].metrics.registry.get_sample_value(name, labels)
    return sample


def test_requests_are_counted_by_route_and_code(app: Flask) -> None:
    client = app.test_client()
    for _ in range(3):
        client.post("/jobs", json=BODY)
    client.post("/jobs", json={})
    client.get("/jobs/job_unknown")

    count = "neoserve_http_requests_total"
    assert value(app, count, method="POST", route="/jobs", status="202", code="") == 3
    assert value(app, count, method="POST", route="/jobs", status="422", code="invalid_parameter") == 1
    assert value(app, count, method="GET", route="/jobs/<job_id>", status="404", code="job_not_found") == 1
    assert value(app, "neoserve_rejections_total", code="invalid_parameter") == 1
    assert value(app, "neoserve_http_request_seconds_count", method="POST", route="/jobs", status="202") == 3


def test_no_label_grows_with_what_clients_send(app: Flask) -> None:
    client = app.test_client()
    for i in range(50):
        client.get(f"/no/such/path/{i}")
        client.open("/healthz", method=f"VERB{i}")
        client.get(f"/jobs/job_{i:032x}")

    routes = {
        (sample.labels["method"], sample.labels["route"])
        for family in app.extensions[EXTENSION].metrics.requests.collect()
        for sample in family.samples
    }
    assert routes == {("GET", "unmatched"), ("other", "unmatched"), ("GET", "/jobs/<job_id>")}


def test_handling_time_leaves_out_what_the_client_chose_to_wait(app: Flask) -> None:
    app.test_client().post("/predict?wait=0.3", json=BODY)

    labels = {"method": "POST", "route": "/predict"}
    whole = value(app, "neoserve_http_request_seconds_sum", status="202", **labels)
    handling = value(app, "neoserve_request_handling_seconds_sum", **labels)
    assert whole is not None
    assert handling is not None
    assert whole >= 0.3
    assert handling <= whole - 0.3 + 0.001
    assert value(app, "neoserve_handovers_total", reason="timeout") == 1
    assert value(app, "neoserve_waiting_clients") == 0


def test_the_queue_is_read_at_scrape_time(app: Flask, worker: FakeWorker) -> None:
    client = app.test_client()
    for priority in ("high", "normal", "normal", "normal"):
        client.post("/jobs", json={**BODY, "priority": priority})
    worker.start(worker.claim())
    worker.claim()

    text = client.get("/metrics").text

    assert 'neoserve_jobs{priority="normal",state="queued"} 3.0' in text
    assert 'neoserve_jobs{priority="high",state="running"} 1.0' in text
    assert f'neoserve_queue_depth{{fingerprint="{FINGERPRINT}",priority="normal"}} 2.0' in text
    assert "neoserve_queue_oldest_age_seconds" in text
    assert "neoserve_store_up 1.0" in text
    assert "process_resident_memory_bytes" in text


def test_the_estimated_wait_is_that_of_the_health_page(client: FlaskClient, store: JobStore) -> None:
    for priority in ("high", "normal", "low") * 2:  # More than the worker has slots.
        client.post("/jobs", json={**BODY, "priority": priority})
    name = "neoserve_queue_estimated_wait_seconds"
    set_pace(store, 10)
    health = client.get("/health").json
    shown = re.findall(rf'^{name}{{.*priority="(\w+)"}} (.*)$', client.get("/metrics").text, re.MULTILINE)

    assert health is not None
    estimated = health["models"][0]["estimated_wait_s"]
    assert all(estimated.values())
    assert {priority: float(seconds) for priority, seconds in shown} == pytest.approx(estimated, abs=1)


def test_a_scraper_may_ask_for_openmetrics(client: FlaskClient) -> None:
    plain = client.get("/metrics")
    modern = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.mimetype == "text/plain"
    assert modern.mimetype == "application/openmetrics-text"


@pytest.mark.parametrize("version", ["X", "", "1", "1.0"])
def test_a_version_that_is_none_gets_plain_text(client: FlaskClient, version: str) -> None:
    answer = client.get("/metrics", headers={"Accept": f"application/openmetrics-text;version={version}"})
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")


def test_the_time_in_which_a_body_arrives_is_not_the_servers(app: Flask) -> None:
    class SlowBody(BytesIO):
        def readinto(self, buffer: Any) -> int:
            Event().wait(0.05)
            return super().readinto(buffer)

    body = b'{"text": "a"}'
    app.test_client().post(
        "/jobs", input_stream=SlowBody(body), content_length=len(body), content_type="application/json"
    )
    labels = {"method": "POST", "route": "/jobs"}
    whole = value(app, "neoserve_http_request_seconds_sum", **labels, status="202")
    handling = value(app, "neoserve_request_handling_seconds_sum", **labels)
    assert whole is not None
    assert handling is not None
    assert whole - handling >= 0.05


def test_a_request_is_one_line_in_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="api"):
        answer = client.post("/jobs", json=BODY, headers={"X-Request-Id": "abc"})

    assert answer.json is not None
    (line,) = [record.getMessage() for record in caplog.records if record.name == "api.access"]
    assert line.startswith("method=POST route=/jobs status=202 ms=")
    assert line.endswith(f"code=- request_id=abc job_id={answer.json['id']}")


def test_probes_stay_out_of_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="api"):
        client.get("/healthz")
        client.get("/metrics")

    assert caplog.records == []


def test_a_prompt_never_reaches_logs_metrics_or_errors(
    client: FlaskClient, worker: FakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.serve()
    with caplog.at_level(logging.DEBUG):
        client.post("/predict?wait=30", json={"text": CANARY})
        client.post(f"/predict?{CANARY}={CANARY}", json={"text": CANARY})
        refused = [
            client.post("/predict", json={"text": CANARY * 20}),
            client.post("/predict", json={"text": [CANARY]}),
            client.post("/predict", json={"text": CANARY, "stop": [CANARY * 50]}),
            client.post("/predict", json={"text": CANARY, "metadata": CANARY}),
            client.post("/predict", data=f'{{"text":"{CANARY}', content_type="application/json"),
        ]
        client.get(f"/{CANARY}")  # Whoever sent it may read it again, and nobody else.

    assert all(400 <= answer.status_code < 500 and CANARY not in answer.text for answer in refused)
    assert CANARY not in caplog.text
    assert CANARY not in client.get("/metrics").text
