"""What is no batch, and that nothing is left of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.batch import BatchItem
from tasks.jobs.batch_store import BatchStore
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import MAX_POSITIONS, LocalListener
from tests.unit.api.test_batches import JSON_LINES, post_lines, prompts

GOOD = {"text": "Hello"}


def errors(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    assert answer.json is not None
    return {each["field"]: each["message"] for each in answer.json["errors"]}


@pytest.fixture
def keys(store: JobStore, app: Flask) -> set[str]:
    """Those that were there before."""
    return set(store.client.scan_iter("*"))


@pytest.mark.parametrize(
    ("item", "field", "words"),
    [
        ({}, "text", "is required"),
        ({"text": 5}, "text", "valid string"),
        ({"text": "a", "temperature": 0}, "temperature", "greater than or equal to 0.001 (given: 0)"),
        ({"text": "a", "nonsense": 1}, "nonsense", "is not a field"),
        ({"text": "a", "priority": "high"}, "priority", "is low for every item"),
        ({"text": "a", "deadline_s": 5}, "deadline_s", "once for the whole batch"),
        ({"text": "a", "ttl_s": 5}, "ttl_s", "once for the whole batch"),
        ({"text": "a", "custom_id": "x" * 65}, "custom_id", "at most 64"),
        ({"text": "a\0"}, "text", "U+0000"),
        ({"text": "a", "model": "other"}, "model", "No worker has ever registered"),
        ({"text": "word " * 300}, "text", f"the model holds {MAX_POSITIONS}"),
        ({"text": "a", "max_new_tokens": 999}, "max_new_tokens", "(given: 999)"),
        (["words"], "", "must be an object"),
    ],
)
def test_an_item_that_cannot_be_used_is_named(
    client: FlaskClient, store: JobStore, keys: set[str], item: Any, field: str, words: str
) -> None:
    name = f"requests.1.{field}".rstrip(".")
    (found,) = errors(client.post("/batches", json={"requests": [GOOD, item, GOOD]})).items()
    assert found[0] == name
    assert words in found[1]
    (found,) = errors(post_lines(client, {"batch": {}}, GOOD, "", item)).items()
    assert found[0] == name
    assert found[1].startswith("line 4: ")
    assert words in found[1]
    assert set(store.client.scan_iter("*")) == keys


@pytest.mark.parametrize("place", [0, 600])
def test_nothing_is_left_of_what_was_uploaded_before_and_nothing_is_uploaded_after(
    client: FlaskClient, store: JobStore, keys: set[str], monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    uploaded = []
    put = BatchStore.put

    def counted(self: BatchStore, batch_id: str, first: int, items: Sequence[BatchItem]) -> None:
        uploaded.append(first)
        put(self, batch_id, first, items)

    monkeypatch.setattr(BatchStore, "put", counted)
    items: list[Any] = [GOOD] * 1200
    items[place] = {}
    assert list(errors(post_lines(client, *items))) == [f"requests.{place}.text"]
    assert uploaded == ([0] if place else [])
    assert set(store.client.scan_iter("*")) == keys


def test_the_first_twenty_mistakes_are_named_and_those_behind_them_are_not_looked_at(
    client: FlaskClient,
) -> None:
    bad = [{"text": "a", "top_p": 2}, {"text": ""}] * 30
    found = errors(post_lines(client, GOOD, *bad))
    assert len(found) == 20
    assert list(found)[:2] == ["requests.1.top_p", "requests.2.text"]


def test_a_line_that_is_not_json_is_named(client: FlaskClient) -> None:
    found = errors(post_lines(client, GOOD, '{"text": ', '{"text": NaN}', "\xff"))
    assert list(found) == ["requests.1", "requests.2", "requests.3"]
    assert found["requests.1"].startswith("line 2: this line is not valid JSON: Expecting value at column 1")
    assert "NaN" in found["requests.2"]


def test_lines_that_have_lost_their_newlines_are_told_from_others(client: FlaskClient) -> None:
    found = errors(post_lines(client, '{"text": "a"}{"text": "b"}', '{"text": "a"} oops'))
    assert found["requests.0"].endswith("with curl use --data-binary, -d takes them out.")
    assert "curl" not in found["requests.1"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"batch": {"ttl_s": }}', "this line is not valid JSON"),
        ('\ufeff{"batch": {}}{"text": "a"}', "use --data-binary"),
        ('{"batch": {}, "text": "a"}', "must be alone on its line"),
        ('{"batch": []}', "must be an object"),
    ],
)
def test_a_line_of_options_is_no_item_whatever_is_wrong_with_it(
    client: FlaskClient, line: str, words: str
) -> None:
    (found,) = errors(post_lines(client, line, GOOD)).items()
    assert found[0] == "batch"
    assert found[1].startswith("line 1: ")
    assert words in found[1]


def test_options_may_follow_a_byte_order_mark(client: FlaskClient) -> None:
    answer = post_lines(client, '\ufeff{"batch": {"metadata": {"a": 1}}}', GOOD)
    assert answer.json is not None
    assert answer.json["metadata"] == {"a": 1}


def test_a_line_must_not_be_longer_than_a_single_request(
    store: JobStore, ring: RecordingRing, listener: LocalListener, app: Flask
) -> None:
    settings = ApiSettings(max_body_bytes=100, max_batch_bytes=1000)
    client = create_app(settings, store=store, ring=ring, listener=listener).test_client()
    found = errors(post_lines(client, GOOD, {"text": "a" * 100}))
    assert found == {"requests.1": "line 2: this line has 112 bytes; the limit is 100 bytes."}
    assert post_lines(client, *[GOOD] * 10).status_code == 202
    refused = post_lines(client, *[{"text": "a" * 50}] * 20)
    assert refused.status_code == 413
    assert "the limit is 1000 bytes" in refused.json["detail"]  # type: ignore[index]


def test_json_may_be_four_mebibytes_and_json_lines_more(client: FlaskClient) -> None:
    body = json.dumps({"requests": [GOOD] * 2, "metadata": {}}) + " " * 4 * 2**20
    refused = client.post("/batches", data=body, content_type="application/json")
    assert refused.status_code == 413
    assert f"the limit is {4 * 2**20} bytes" in refused.json["detail"]  # type: ignore[index]
    taken = client.post("/batches", data=json.dumps(GOOD) + "\n" * 4 * 2**20, content_type=JSON_LINES)
    assert taken.status_code == 202


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"ttl_s": 0}, "ttl_s"),
        ({"deadline_s": 8 * 86400}, "deadline_s"),
        ({"metadata": {"a": "b" * 3000}}, "metadata"),
        ({"priority": "high"}, "priority"),
        ({"defaults": {"text": "a"}}, "defaults.text"),
        ({"defaults": {"top_p": 7}}, "defaults.top_p"),
        ({"defaults": {"ttl_s": 7}}, "defaults.ttl_s"),
        ({"defaults": []}, "defaults"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(
    client: FlaskClient, options: dict[str, Any], field: str
) -> None:
    assert list(errors(client.post("/batches", json={"requests": [GOOD], **options}))) == [field]
    (name,) = errors(post_lines(client, {"batch": options}, GOOD))
    assert name == f"batch.{field}"


@pytest.mark.parametrize("body", [{}, {"requests": {}}, {"requests": None}, {"requests": []}])
def test_a_batch_needs_items(client: FlaskClient, body: dict[str, Any]) -> None:
    assert list(errors(client.post("/batches", json=body))) == ["requests"]


@pytest.mark.parametrize("content", ["", "\n\n", '{"batch": {}}'])
def test_lines_without_items_are_no_batch(client: FlaskClient, content: str) -> None:
    answer = client.post("/batches", data=content, content_type=JSON_LINES)
    assert list(errors(answer)) == ["requests"]


def test_a_batch_has_at_most_ten_thousand_items(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    found = errors(post_lines(client, *[{"text": 5}] * 2, *[GOOD] * 10_000))
    assert "must be at most 10000" in found["requests"]
    found = errors(client.post("/batches", json={"requests": [GOOD] * 10_001}))
    assert found == {"requests": "must be at most 10000 (given: 10001)"}


def test_a_custom_id_names_one_item(client: FlaskClient) -> None:
    found = errors(post_lines(client, *prompts(3), prompts(2)[1]))
    assert found == {"requests.3.custom_id": "line 4: is that of requests.1"}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/plain", 415),
        ("application/jsonl; charset=latin-1", 415),
        ("application/json; charset=latin-1", 415),
        ("application/x-ndjson", 202),
    ],
)
def test_the_body_says_what_it_is(client: FlaskClient, content_type: str, status: int) -> None:
    assert client.post("/batches", data=json.dumps(GOOD), content_type=content_type).status_code == status


def test_json_that_is_no_object_is_no_batch(client: FlaskClient) -> None:
    answer = client.post("/batches", data="[]", content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")  # type: ignore[index]


def test_a_body_that_was_cut_off_is_no_batch(client: FlaskClient, store: JobStore, keys: set[str]) -> None:
    answer = client.post(
        "/batches",
        data=json.dumps(GOOD),
        content_type=JSON_LINES,
        environ_overrides={"CONTENT_LENGTH": "1000"},
    )
    assert (answer.status_code, answer.json["code"]) == (400, "incomplete_body")  # type: ignore[index]
    assert set(store.client.scan_iter("*")) == keys


def test_before_any_worker_there_is_no_model_for_a_batch(bare_app: Flask) -> None:
    answer = post_lines(bare_app.test_client(), GOOD)
    assert (answer.status_code, answer.json["code"]) == (503, "no_model")  # type: ignore[index]
