"""Requests that a careless or hostile client sends: a clear 4xx each, and nothing is queued."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.unit.api.fakes import LocalListener, register_test_model, rung

JSON = "application/json"
TEXT = b'"text":"a"'


def raw_bodies() -> Iterator[bytes]:
    yield from (
        b"",
        b" ",
        b"\x00",
        b"\xff\xfe",
        b"{",
        b"}",
        b"[",
        b"nul",
        b"{}",
        b"[]",
        b"1",
        b'"a"',
        b"null",
    )
    yield from (b"{" + TEXT, b"{" + TEXT + b",}", b"{" + TEXT + b"}x", b"{" + TEXT + b"}{" + TEXT + b"}")
    yield from (b"text=a", b"<text>a</text>", b"{\"text\":'a'}", b'{text:"a"}', b"{" + TEXT + b",//c\n}")
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 21, b"9" * 5000, b"0x10"):
        for field in (b"temperature", b"seed", b"max_length"):
            yield b"{" + TEXT + b',"' + field + b'":' + number + b"}"
    yield b'{"text":"a","text":"b"}'
    yield b"{" + TEXT + b',"metadata":{"a":1,"a":2}}'
    yield b"[" * 900
    yield b"[" * 100_000
    for levels in (33, 500, 900, 5000, 50_000):
        yield b"{" + TEXT + b',"metadata":{"a":' + b"[" * levels + b"]" * levels + b"}}"
    for escape in (rb"\ud800", rb"\udfff", rb"\ude00\ud83d", rb"\u0000"):
        yield b'{"text":"a' + escape + b'"}'
        yield b"{" + TEXT + b',"stop":["a' + escape + b'"]}'
        yield b"{" + TEXT + b',"metadata":{"a' + escape + b'":1}}'
        yield b"{" + TEXT + b',"' + escape + b'":1}'
    yield b'{"text":"a\x00b"}'
    yield b'{"text":"a\nb"}'
    yield b'{"text":"\xff"}'
    yield b'{"text":"\xed\xa0\x80"}'
    yield '{"text":"a"}'.encode("utf-16")
    yield '{"text":"a"}'.encode("utf-32")
    yield b'{"text":"' + b"a" * 300_000 + b'"}'
    yield b"{" + TEXT + b"}" + b" " * 300_000


def bad_fields() -> Iterator[dict[str, Any]]:
    lengths = (0, -1, "7", 1.5, True, 10**9, 2**63, [], {}, "")
    yield from ({field: value} for field in ("max_length", "max_new_tokens") for value in lengths)
    yield from ({"temperature": value} for value in (0, -1, 1e30, 1e-30, "1", True, [0.5]))
    yield from ({"top_p": value} for value in (0, -0.1, 1.1, 1e308, "0.9", False))
    yield from ({"top_k": value} for value in (-1, 1.5, "50", True, 10**15))
    yield from ({"repetition_penalty": value} for value in (0, -1, 1e30, "1"))
    yield from ({"seed": value} for value in (-1, 2**63, 1.5, "1", True))
    yield from ({"num_return_sequences": value} for value in (0, 9, 1000, "1", True, None))
    yield from ({"do_sample": value} for value in (0, 1, "true", []))
    yield from ({"return_full_text": value} for value in (0, "false", None))
    yield from (
        {"stop": value} for value in (5, [""], "", ["a"] * 10_000, ["a" * 257], [["a"]], [1], {"a": 1})
    )
    yield from ({"priority": value} for value in ("urgent", "HIGH", 1, None, "x" * 1000))
    yield from ({"deadline_s": value} for value in (0, -1, 1e30, "5", True))
    yield from ({"ttl_s": value} for value in (0, -1, 604_801, 1.5, "60", None))
    yield from ({"metadata": value} for value in ([], "a", 1, None, {"a": "x" * 2048}))
    yield from ({"model": value} for value in ("", 5, "x" * 257, "../../etc/passwd", "nobody/knows"))
    yield from ({"text": value} for value in ("", None, 5, ["a"], {"a": 1}, True))
    yield from ({"text": value} for value in (" " * 100_000, "🦉" * 20_000, "👨‍👩‍👧" * 5_000, "a" * 200_000))
    yield from (
        {field: 1} for field in ("webhook", "cancel_on_disconnect", "Text", "__class__", "x" * 10_000)
    )
    yield {f"field{i}": i for i in range(5_000)}
    yield {"max_length": 10, "max_new_tokens": 10}
    yield {"num_return_sequences": 2, "do_sample": False}


def bodies() -> Iterator[bytes]:
    yield from raw_bodies()
    yield from (json.dumps({"text": "a", **fields}).encode() for fields in bad_fields())


BODIES = list(bodies())
HEADERS: list[dict[str, str]] = [
    {"Content-Type": ""},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/json; charset=nonsense"},
    {"Content-Type": JSON, "Content-Encoding": "gzip"},
    {"Content-Type": JSON, "Content-Encoding": "deflate, gzip"},
    {"Content-Type": JSON, "Idempotency-Key": "k" * 100_000},
]


@pytest.fixture(scope="module")
def store() -> JobStore:
    return JobStore(fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True))


@pytest.fixture(scope="module")
def client(store: JobStore) -> FlaskClient:
    """One service for all of them: none leaves anything behind."""
    settings = ApiSettings(sync_wait_seconds=0)
    app = create_app(settings, store=store, ring=RecordingRing(), listener=LocalListener())
    register_test_model(store)
    return app.test_client()


def test_the_corpus_is_large() -> None:
    assert len(BODIES) + len(HEADERS) >= 190


@pytest.mark.parametrize(
    ("path", "body"),
    [*zip(itertools.cycle(("/predict?wait=1", "/jobs")), BODIES, strict=False)],
    ids=lambda value: repr(value[:40]),
)
def test_a_bad_body_is_refused(client: FlaskClient, store: JobStore, path: str, body: bytes) -> None:
    answer = client.post(path, data=body, content_type=JSON)

    assert answer.status_code in (400, 413, 422)
    assert answer.mimetype == "application/problem+json"
    assert len(answer.data) < 20_000
    assert store.num_queued() == len(rung(store)) == 0


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_a_bad_header_is_refused(client: FlaskClient, store: JobStore, headers: dict[str, str]) -> None:
    body = gzip.compress(b'{"text":"a"}') if "Content-Encoding" in headers else b'{"text":"a"}'

    answer = client.post("/predict", data=body, headers=headers)

    assert answer.status_code in (400, 413, 415, 422)
    assert answer.mimetype == "application/problem+json"
    assert store.num_queued() == len(rung(store)) == 0
