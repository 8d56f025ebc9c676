"""Batches that no service takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.abuse.case import Case, as_json, post

WRONG_NAMES: tuple[Any, ...] = ("", "a" * 65, 1, [], {}, "a\0")
WRONG_REQUESTS: tuple[Any, ...] = (None, 1, "a", {}, [1], ["a"], [[]], [None])
ITEM = b'{"text":"Hello","max_new_tokens":1}\n'


def lines() -> Iterator[tuple[str, bytes]]:
    yield "no line", b""
    yield "blank lines", b"\n\n\n"
    yield "a line that is no JSON", ITEM + b"Hello\n"
    yield "a line that is a list", ITEM + b"[]\n"
    yield "a line cut off", ITEM + ITEM[:10]
    yield "a line of 300 kB", ITEM + as_json({"text": "a" * 300_000}) + b"\n"
    yield "a line with a NUL", ITEM + b'{"text":"\\u0000"}\n'
    yield "a line in latin-1", ITEM + b'{"text":"\xe9"}\n'
    yield "a line in UTF-16", ITEM + '{"text":"a"}\n'.encode("utf-16")
    yield "a line nested 5,000 deep", ITEM + b"[" * 5_000 + b"]" * 5_000 + b"\n"
    yield "a line with a name twice", ITEM + b'{"text":"a","text":"b"}\n'
    yield "10,001 lines", ITEM * 10_001
    yield "the options last", ITEM + b'{"batch":{}}\n'
    yield "the options twice", b'{"batch":{}}\n{"batch":{}}\n' + ITEM
    yield "options and an item in one", b'{"batch":{},"text":"a"}\n' + ITEM
    yield "options alone", b'{"batch":{}}\n'
    yield "one name for two items", b'{"text":"a","custom_id":"a"}\n' * 2
    for field in ("priority", "deadline_s", "ttl_s", "cancel_on_disconnect", "webhook", "webhook_events"):
        yield f"an item with {field}", as_json({"text": "a", field: 1}) + b"\n"
    for value in WRONG_NAMES:
        yield f"custom_id {str(value)[:10]!r}", as_json({"text": "a", "custom_id": value}) + b"\n"


def documents() -> Iterator[tuple[str, bytes]]:
    one = {"text": "Hello", "max_new_tokens": 1}
    yield "no requests", as_json({})
    yield "an empty list", as_json({"requests": []})
    for value in WRONG_REQUESTS:
        yield f"requests {value!r}", as_json({"requests": value})
    for name in ("defaults", "metadata"):
        for value in (1, "a", [], True):
            yield f"{name} {value!r}", as_json({"requests": [one], name: value})
    for name in ("deadline_s", "ttl_s"):
        for value in (0, -1, "1", True, 10**9, []):
            yield f"{name} {value!r}", as_json({"requests": [one], name: value})
    for field in ("text", "custom_id", "priority", "webhook", "unknown"):
        yield f"defaults with {field}", as_json({"requests": [one], "defaults": {field: "a"}})
    yield "an unknown option", as_json({"requests": [one], "priority": "high"})
    yield "10,001 requests", as_json({"requests": [one] * 10_001})
    yield "5 MB", as_json({"requests": [one], "metadata": {"a": "b" * 5_000_000}})


def cases() -> list[Case]:
    found = [
        Case(f"JSON lines: {name}", post("/batches", body, "application/jsonl")) for name, body in lines()
    ]
    found += [Case(f"/batches: {name}", post("/batches", body)) for name, body in documents()]
    return found
