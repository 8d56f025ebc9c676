"""The document: complete, valid, and true to the settings; its examples can be used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from api.app import create_app
from api.batch_body import lines_of
from api.batch_request import parse_item, parse_options
from api.errors import ApiError
from api.key_entry import new_key
from api.keyring import Keyring
from api.openai.request import parse_completion
from api.openapi.document import path_of
from api.openapi.problem_codes import CODES
from api.problems import CODE_OF_STATUS
from api.request import parse_request
from api.settings import ApiSettings
from tasks.jobs.errors import JobsError, RingFailed
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import LocalListener
from tests.unit.test_docs import codes

Json = dict[str, Any]


@pytest.fixture
def document(client: FlaskClient) -> Json:
    answer = client.get("/openapi.json")
    assert isinstance(answer.json, dict)
    return answer.json


@pytest.fixture
def schemas(document: Json) -> Json:
    found: Json = document["components"]["schemas"]
    return found


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def documented_codes(document: Json) -> set[str]:
    return set(re.findall(r"- `(\w+)`: ", json.dumps(document)))


def test_every_enum_is_of_plain_values_since_client_generators_know_no_others(document: Json) -> None:
    def enums(part: Any) -> Iterator[Any]:
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from enums(each)
        if isinstance(part, dict) and isinstance(part.get("enum"), list):
            yield from part["enum"]

    values = list(enums(document))
    assert values
    assert not [value for value in values if isinstance(value, dict | list)]


def test_it_is_valid_openapi_3_1(document: Json) -> None:
    assert [str(each) for each in OPENAPI_31_VALIDATOR.iter_errors(document)] == []
    assert document["openapi"] == "3.1.0"


def test_every_reference_in_it_leads_somewhere(document: Json) -> None:
    for pointer in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        part = document
        for name in pointer.split("/"):
            part = part[name]


def test_every_schema_in_it_is_one(schemas: Json) -> None:
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_it_has_every_route_and_no_other(app: Flask, document: Json) -> None:
    routes = {
        f"{method} {path_of(rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {name for name, _ in operations(document)} == routes


def test_every_operation_says_what_it_is_for(document: Json) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+[A-Za-z]*", name) for name in names)
    tags = {each["name"] for each in document["tags"]}
    for _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags


def test_every_field_of_a_request_has_a_description(schemas: Json) -> None:
    for kind in ("PredictRequest", "BatchRequest", "BatchItemRequest", "BatchDefaults", "CompletionRequest"):
        for name, field in schemas[kind]["properties"].items():
            assert field.get("description") or "$ref" in field, name


def test_every_code_of_a_problem_is_in_it(document: Json) -> None:
    never_sent = {JobsError.code, RingFailed.code}
    ours = (codes(ApiError) | codes(JobsError) | set(CODE_OF_STATUS.values())) - never_sent
    assert ours <= set(CODES)
    others = {"method_not_allowed", "unauthorized"}  # No route's own; and where keys are asked for.
    assert documented_codes(document) == set(CODES) - others


def test_a_service_that_asks_for_keys_says_where(store: JobStore) -> None:
    _, entry = new_key("somebody")
    app = create_app(
        ApiSettings(), store=store, ring=RecordingRing(), listener=LocalListener(), keyring=Keyring((entry,))
    )
    document = app.test_client().get("/openapi.json").json
    assert document is not None
    assert document["security"] == [{"bearer": []}]
    for name, operation in operations(document):
        is_open = operation.get("security") == []
        assert is_open == name.endswith(("GET /", "z", "/docs", "/openapi.json", "{name}")), name
        assert ("401" in operation["responses"]) != is_open, name


def test_where_nobody_needs_a_key_one_may_be_sent(document: Json) -> None:
    assert document["security"] == [{}, {"bearer": []}]
    assert "401" not in document["paths"]["/predict"]["post"]["responses"]


def test_it_has_the_limits_of_the_settings(store: JobStore) -> None:
    settings = ApiSettings(max_prompt_chars=77, max_batch_items=5, sync_wait_seconds=3, queue_full_status=503)
    app = create_app(settings, store=store, ring=RecordingRing(), listener=LocalListener())
    document = app.test_client().get("/openapi.json").json
    assert document is not None
    schemas = document["components"]["schemas"]
    assert schemas["PredictRequest"]["properties"]["text"]["maxLength"] == 77
    assert schemas["BatchRequest"]["properties"]["requests"]["maxItems"] == 5
    predict = document["paths"]["/predict"]["post"]
    assert predict["parameters"][0]["schema"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 60,
        "multipleOf": 0.001,
        "default": 3,
    }
    assert "queue_full" in predict["responses"]["503"]["description"]


def test_the_examples_of_requests_are_accepted(document: Json) -> None:
    for _, operation in operations(document):
        for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
            for example in body["examples"].values():
                check_request(document, media_type, body, example["value"])


def check_request(document: Json, media_type: str, body: Json, value: Any) -> None:
    if media_type != "application/json":
        batch = lines_of(bytearray(value.encode()), 10_000)
        assert [parse_item(each.value, batch.options) for each in batch.items]
        return
    schema = {**body["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(value)
    if "prompt" in value:
        assert parse_completion(value)
        return
    if "requests" not in value:
        parse_request(value)
        return
    options = parse_options({name: each for name, each in value.items() if name != "requests"})
    assert [parse_item(each, options) for each in value["requests"]]


def test_the_examples_of_answers_are_such_answers(document: Json) -> None:
    for _, operation in operations(document):
        for answer in operation["responses"].values():
            for body in answer.get("content", {}).values():
                for example in body.get("examples", {}).values():
                    if isinstance(example["value"], dict):
                        schema = {**body["schema"], "components": document["components"]}
                        Draft202012Validator(schema).validate(example["value"])
