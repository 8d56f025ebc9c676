"""The document and its page over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.openapi.reference import curl, kind, prose
from tests.unit.api.test_openapi import operations

Json = dict[str, Any]


@pytest.fixture
def document(client: FlaskClient) -> Json:
    answer = client.get("/openapi.json")
    assert isinstance(answer.json, dict)
    return answer.json


def test_the_document_is_asked_for_again_only_when_it_has_changed(client: FlaskClient) -> None:
    first = client.get("/openapi.json")
    assert first.mimetype == "application/json"
    assert first.headers["Cache-Control"] == "public, no-cache"
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_page_may_load_nothing_from_elsewhere_and_has_no_script(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert answer.mimetype == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert not re.findall(r'(?:src|<link[^>]* href)="(?!/)', answer.text)


def test_the_page_has_every_operation_and_every_type(client: FlaskClient, document: Json) -> None:
    anchors = set(re.findall(r' id="([^"]+)"', client.get("/docs").text))
    assert {operation["operationId"] for _, operation in operations(document)} <= anchors
    assert {f"type-{name}" for name in document["components"]["schemas"]} <= anchors


def test_every_link_within_the_page_leads_somewhere(client: FlaskClient) -> None:
    text = client.get("/docs").text
    anchors = set(re.findall(r' id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors


def test_a_description_is_text_and_what_is_between_backticks_is_code() -> None:
    assert prose("<b> is `<i>`.") == "&lt;b&gt; is <code>&lt;i&gt;</code>."


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 8}, "whole number, 1 to 8"),
        ({"type": "integer", "minimum": 0}, "whole number, 0 or more"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number, above 0 to 1"),
        ({"type": "string", "minLength": 1, "maxLength": 64}, "text, 1 to 64 characters"),
        ({"type": "boolean"}, "<code>true</code>, <code>false</code>"),
        ({"enum": ["a", "b"]}, "<code>a</code>, <code>b</code>"),
        ({"const": "a"}, "<code>a</code>"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "array", "items": {"$ref": "#/x/Job"}}, 'list of <a href="#type-Job">Job</a>'),
    ],
)
def test_a_type_is_told_in_words(schema: Json, words: str) -> None:
    assert kind(schema) == words


def test_a_line_of_curl_can_be_typed(document: Json) -> None:
    paths = document["paths"]
    assert curl(paths["/jobs/{job_id}"]["get"], "GET", "/jobs/{job_id}") == 'curl -s "$url/jobs/$job"'
    assert curl(paths["/jobs/{job_id}"]["delete"], "DELETE", "/jobs/{job_id}") == (
        'curl -s -X DELETE "$url/jobs/$job"'
    )
    assert curl(paths["/predict"]["post"], "POST", "/predict") == (
        """curl -s -H 'Content-Type: application/json' -d '{"text": "Once upon a time"}' "$url/predict\""""
    )
