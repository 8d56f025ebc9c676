"""Pages of other origins."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings, parse_origins
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import LocalListener, register_test_model
from tests.unit.api.test_jobs import BODY

APP = "https://app.example.com"


def make_client(store: JobStore, ring: RecordingRing, listener: LocalListener, *origins: str) -> FlaskClient:
    register_test_model(store)
    settings = ApiSettings(sync_wait_seconds=0, cors_origins=origins)
    return create_app(settings, store=store, ring=ring, listener=listener).test_client()


def test_by_default_no_other_page_may_call(client: FlaskClient) -> None:
    answer = client.post("/jobs", json=BODY, headers={"Origin": APP})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_page_that_is_named_may_send_a_key_and_read_what_it_needs(
    store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    client = make_client(store, ring, listener, APP)
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
    }
    allowed = client.options("/jobs", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == APP
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"].lower()
    answer = client.post("/jobs", json=BODY, headers={"Origin": APP})
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    readable = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Link", "Location", "Retry-After", "X-Should-Retry"} <= readable
    assert "Access-Control-Allow-Credentials" not in answer.headers
    other = client.post("/jobs", json=BODY, headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_a_page_may_use_openais_client_for_browsers(
    store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    client = make_client(store, ring, listener, APP)
    sends = ["authorization", "content-type", "user-agent", "x-stainless-os", "x-stainless-retry-count"]
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ", ".join([*sends, "x-other", "other-x-stainless-os"]),
    }
    allowed = client.options("/v1/completions", headers=asked)
    assert allowed.headers["Access-Control-Allow-Headers"].split(", ") == sends


@pytest.mark.parametrize("text", ["app.example.com", "https://", "https://a.example/path", "ftp://a.example"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected origins such as"):
        parse_origins(text)
    assert parse_origins("https://a.example, http://b:8000 *") == ("https://a.example", "http://b:8000", "*")
