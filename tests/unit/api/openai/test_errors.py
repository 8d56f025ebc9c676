"""Everything that goes wrong below /v1, in the shape that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.key_entry import new_key
from api.keyring import Keyring
from api.rate import Rate
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import MODEL, LocalListener, register_test_model
from tests.unit.api.test_authentication import bearer

BODY = {"model": MODEL, "prompt": "Once upon a time"}
KEY, ENTRY = new_key("ours")


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings(sync_wait_seconds=0, max_queued=1, max_body_bytes=1000)


def error_of(answer: TestResponse) -> dict[str, Any]:
    body = answer.get_json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.mimetype == "application/json"
    return error


def post(client: FlaskClient, **changes: Any) -> TestResponse:
    return client.post("/v1/completions", json={**BODY, **changes})


def test_a_wrong_field_is_a_400_that_names_it(client: FlaskClient) -> None:
    answer = post(client, temperature=3)
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["type"], error["param"]) == ("invalid_request_error", "temperature")
    assert error["message"].startswith("temperature: ")


def test_an_unknown_model_is_a_404(client: FlaskClient) -> None:
    for prompt in ("a", ["a", "b"]):
        answer = post(client, model="no-such-model", prompt=prompt)
        assert answer.status_code == 404
        error = error_of(answer)
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert "GET /v1/models" in error["message"]


@pytest.mark.parametrize("prompt", ["long " * 60, ["long " * 60, "a"]])
def test_what_does_not_fit_into_the_model_is_named_as_openai_names_it(
    client: FlaskClient, prompt: Any
) -> None:
    error = error_of(post(client, prompt=prompt, max_tokens=250))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "max_tokens")
    assert "256" in error["message"]
    assert "max_new_tokens" not in error["message"]


@pytest.mark.parametrize(("prompt", "param"), [("z" * 256, "prompt"), (["a", "z" * 256], "prompt.1")])
def test_a_prompt_that_fills_the_model_alone_has_the_same_code(
    client: FlaskClient, prompt: Any, param: str
) -> None:
    error = error_of(post(client, prompt=prompt))
    assert (error["code"], error["param"]) == ("context_length_exceeded", param)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/x", "/v1"])
def test_an_address_that_is_none_says_which_there_are(client: FlaskClient, path: str) -> None:
    answer = client.post(path, json={})
    assert answer.status_code == 404
    error = error_of(answer)
    assert error["code"] == "unknown_url"
    assert "POST /v1/completions" in error["message"]
    assert "/predict" not in error["message"]


def test_chat_is_answered_with_why_there_is_none(client: FlaskClient) -> None:
    assert "base model" in error_of(client.post("/v1/chat/completions", json={}))["message"]


def test_elsewhere_errors_are_problem_documents(client: FlaskClient) -> None:
    for path in ("/v2", "/v1x", "/nothing"):
        assert client.get(path).mimetype == "application/problem+json"


def test_a_wrong_method_is_a_405(client: FlaskClient) -> None:
    answer = client.get("/v1/completions")
    assert (answer.status_code, error_of(answer)["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_body_that_cannot_be_read_is_refused_as_elsewhere(client: FlaskClient) -> None:
    url = "/v1/completions"
    too_large = post(client, prompt="a" * 2000)
    assert (too_large.status_code, error_of(too_large)["code"]) == (413, "payload_too_large")
    text = client.post(url, data="a", content_type="text/plain")
    assert (text.status_code, error_of(text)["code"]) == (415, "unsupported_media_type")
    broken = client.post(url, data="{", content_type="application/json")
    assert (broken.status_code, error_of(broken)["code"]) == (400, "malformed_json")
    header = client.post(url, json=BODY, headers={"Idempotency-Key": "ä"})
    assert (header.status_code, error_of(header)["code"]) == (400, "invalid_header")


def test_a_full_queue_is_a_429_that_says_when_to_come_back(client: FlaskClient, store: JobStore) -> None:
    assert client.post("/jobs", json={"text": "a"}).status_code == 202
    answer = post(client)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["type"]) == (429, "queue_full", "requests")
    assert int(answer.headers["Retry-After"]) > 0
    assert store.num_queued() == 1


def test_before_the_first_worker_it_is_a_503(bare_app: Flask) -> None:
    client = bare_app.test_client()
    answer = post(client)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["type"]) == (503, "no_model", "server_error")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/v1/models").get_json() == {"object": "list", "data": []}


def test_a_parameter_of_the_address_is_refused(client: FlaskClient) -> None:
    assert error_of(client.get("/v1/models?limit=1"))["param"] == "limit"


def test_the_code_is_counted_as_it_is_elsewhere(app: Flask, client: FlaskClient) -> None:
    post(client, model="no-such-model")
    count = client.get("/metrics").get_data(as_text=True)
    labels = 'code="unknown_model",method="POST",route="/v1/completions",status="404"'
    assert f"neoserve_http_requests_total{{{labels}}} 1.0" in count


def test_models_are_listed_and_shown_by_names_with_slashes_too(client: FlaskClient, store: JobStore) -> None:
    register_test_model(store, "some/other", "fp-other")
    models = {model["id"]: model for model in client.get("/v1/models").get_json()["data"]}
    assert set(models) == {MODEL, "some/other"}
    for name in ("some/other", "some%2Fother"):
        assert client.get(f"/v1/models/{name}").get_json() == models["some/other"]
    shown = models[MODEL]
    assert (shown["object"], shown["owned_by"], shown["max_model_len"]) == ("model", "neoserve", 256)
    assert shown["created"] > 0


def test_a_model_that_is_registered_twice_is_listed_once(client: FlaskClient, store: JobStore) -> None:
    register_test_model(store, MODEL, "fp-newer")
    assert [model["id"] for model in client.get("/v1/models").get_json()["data"]] == [MODEL]


def test_a_model_that_is_none_is_a_404(client: FlaskClient) -> None:
    answer = client.get("/v1/models/no-such-model")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")


class TestWithKeys:
    @pytest.fixture
    def settings(self) -> ApiSettings:
        return ApiSettings(sync_wait_seconds=0, rate_limit=Rate(2, 3600), max_jobs_per_key=1)

    @pytest.fixture
    def app(
        self, settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener
    ) -> Flask:
        register_test_model(store)
        return create_app(settings, store=store, ring=ring, listener=listener, keyring=Keyring([ENTRY]))

    @pytest.mark.parametrize("headers", [{}, bearer("neoserve_wrong")])
    def test_a_wrong_key_is_a_401(self, client: FlaskClient, headers: dict[str, str]) -> None:
        answer = client.post("/v1/completions", json=BODY, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")

    def test_the_limits_of_the_key_count(self, client: FlaskClient, store: JobStore) -> None:
        assert client.post("/jobs", json={"text": "a"}, headers=bearer(KEY)).status_code == 202
        crowded = client.post("/v1/completions", json=BODY, headers=bearer(KEY))
        assert (crowded.status_code, error_of(crowded)["code"]) == (429, "too_many_jobs")
        assert crowded.headers["RateLimit"].startswith('"submits";r=0')
        often = client.post("/v1/completions", json=BODY, headers=bearer(KEY))
        assert (often.status_code, error_of(often)["code"]) == (429, "rate_limit_exceeded")
        assert int(often.headers["Retry-After"]) > 0
        assert client.get("/v1/models", headers=bearer(KEY)).status_code == 200
