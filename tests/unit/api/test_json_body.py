from __future__ import annotations

import json

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from api.errors import ApiError, InvalidParameters, MalformedJson, UnsupportedMediaType
from api.json_body import MAX_DEPTH, read_json_object
from api.settings import ApiSettings

JSON = {"Content-Type": "application/json"}
app = Flask(__name__)


def read(body: bytes | str, headers: dict[str, str] | None = None) -> object:
    with app.test_request_context("/predict", method="POST", data=body, headers=headers or JSON):
        return read_json_object(request)


def nested(levels: int) -> str:
    """An object with arrays inside: `levels` containers, one in the other."""
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_an_object_is_read_as_it_is() -> None:
    body = {"text": "Grüße 🦉", "n": [1, 2.5, True, None], "o": {"a": {}}}

    assert read(json.dumps(body)) == body
    assert read(json.dumps(body, ensure_ascii=False).encode()) == body


def test_a_byte_order_mark_is_tolerated() -> None:
    assert read(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1}}',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":1,"a":2}',
        b'{"b":{"a":1,"a":1}}',
        b'{"a":' + b"9" * 21 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        nested(MAX_DEPTH + 1).encode(),
        nested(5000).encode(),
        nested(100_000).encode(),
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        read(body)


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert read(nested(MAX_DEPTH))


@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null", b"true"])
def test_what_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="must be a JSON object"):
        read(body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"text":"a\u0000b"}', "text"),
        (r'{"text":"\ud800"}', "text"),
        (r'{"text":"\udc00\ud800"}', "text"),
        (r'{"metadata":{"k\u0000":1}}', "metadata"),
        (r'{"metadata":{"k":["\udfff"]}}', "metadata"),
        (r'{"a\ud800":1}', "a\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_characters_that_break_other_programs_are_refused_by_field(body: str, field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        read(body)

    assert [each.field for each in refused.value.errors] == [field]


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read(r'{"text":"\ud83e\udd89"}') == {"text": "🦉"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
        {"Content-Type": "application/json", "Content-Encoding": "nonsense"},
    ],
)
def test_other_media_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMediaType):
        read(b'{"text":"a"}', headers or {"X-Nothing": "1"})


@pytest.mark.parametrize("media", ["application/json; charset=UTF-8", "Application/JSON"])
def test_the_spelling_of_the_media_type_does_not_matter(media: str) -> None:
    assert read(b"{}", {"Content-Type": media}) == {}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({"text": text}).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        status = 200 if isinstance(read(body), dict) else 500
    except ApiError as error:
        status = error.status

    assert status in (200, 400, 422)


def test_the_largest_allowed_body_is_read(client: FlaskClient, settings: ApiSettings) -> None:
    body = b'{"text":"a"}'
    fitting = body + b" " * (settings.max_body_bytes - len(body))

    assert client.post("/jobs", data=fitting, content_type="application/json").status_code == 202
    assert client.post("/jobs", data=fitting + b" ", content_type="application/json").status_code == 413
