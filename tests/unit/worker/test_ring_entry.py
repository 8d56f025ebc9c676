from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.jobs.ring import CeleryRing
from tasks.worker.ring_entry import ring_of


def entry() -> dict[str, Any]:
    ring = CeleryRing("redis://127.0.0.1:1/0")
    parsed: dict[str, Any] = json.loads(ring.message("j1").entry)
    ring.close()
    return parsed


def body(*parts: Any) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


def test_a_ring_keeps_its_id_and_the_job_that_rang() -> None:
    given = entry()
    made = ring_of(given)
    assert made is not None
    assert made["headers"]["id"] == given["headers"]["id"]
    assert json.loads(base64.b64decode(made["body"]))[:2] == [["j1"], {}]
    assert made["properties"]["delivery_info"] == {"exchange": "", "routing_key": QUEUE_NAME}


def test_nothing_else_of_it_goes_on() -> None:
    given = entry()
    plain = ring_of(given)
    given["headers"] |= {"eta": 7, "compression": 7, "CANARY": 1}
    given["properties"] = 7
    given["body"] = body(["j1"], {}, {"chain": ["CANARY"]}, "CANARY")
    made = ring_of(given)
    assert made is not None
    assert plain is not None
    assert made["headers"] == plain["headers"]
    assert made["body"] == plain["body"]
    assert made["properties"].keys() == plain["properties"].keys()


@pytest.mark.parametrize("text", [
    *("7", "[]", "{}", "null", '"x"', '{"headers": 7}', '{"headers": {}, "body": ""}'),
])  # fmt: skip
def test_what_is_no_message_is_no_ring(text: str) -> None:
    assert ring_of(json.loads(text)) is None


@pytest.mark.parametrize("changes", [
    {"headers": {"task": "os.system", "id": "a"}},
    {"headers": {"task": [TASK_NAME], "id": "a"}},
    {"headers": {"task": TASK_NAME, "id": 7}},
    {"body": 7},
    {"body": "a"},
    {"body": "ü"},
    {"body": body([], {}, {})},
    {"body": body([7], {}, {})},
    {"body": body(["a", "b"], {}, {})},
    {"body": body(["a"], {"b": 1}, {})},
    {"body": body(["a"])},
    {"body": body(7, {}, {})},
    {"body": base64.b64encode(b"\xff\xfe").decode()},
    {"body": base64.b64encode(b"[" * 100_000).decode()},
    {"body": base64.b64encode(b"7").decode()},
])  # fmt: skip
def test_a_message_that_calls_something_else_is_no_ring(changes: dict[str, Any]) -> None:
    assert ring_of(entry() | changes) is None
