"""What anybody who can write to the queue may put there."""

from __future__ import annotations

import base64
import json
import os
import pickle
import uuid
from pathlib import Path
from typing import Any

from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tests.integration.worker.processes import Fleet
from tests.waiting import wait_until


class Canary:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mknod, (str(self.path),))


def message(body: bytes, *, content_type: str = "application/json", task: str = TASK_NAME) -> str:
    """A Celery message as the Redis transport stores it."""
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "binary",
            "content-type": content_type,
            "headers": {
                "lang": "py",
                "task": task,
                "id": uuid.uuid4().hex,
                "argsrepr": "()",
                "kwargsrepr": "{}",
            },
            "properties": {
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": QUEUE_NAME},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": uuid.uuid4().hex,
            },
        }
    )


def hostile_entries(canary: Path) -> dict[str, str]:
    arguments = json.dumps([["x"], {}, {}]).encode()
    pickled = pickle.dumps(([Canary(canary)], {}, {}))
    return {
        "pickle": message(pickled, content_type="application/x-python-serialize"),
        "unknown task": message(arguments, task="os.system"),
        "wrong arguments": message(json.dumps([[1, 2, 3], {"a": 1}, {}]).encode()),
        "body without JSON": message(b"\xff\xfe"),
        "empty object": "{}",
        "no JSON": "not json",
        "a number": "7",
        "task that is no name": message(arguments).replace(f'"{TASK_NAME}"', "[1]"),
        "body that is no base64": message(arguments).replace('"body": "', '"body": "a'),
        "nested without end": "[" * 100_000 + "]" * 100_000,
        "body nested without end": message(b"[" * 100_000 + b"]" * 100_000),
        "date that is a number": '{"__type__": "date", "__value__": 7}',
        "number that is none": '{"__type__": "decimal", "__value__": "x"}',
        "type that is no name": '{"__type__": [], "__value__": 7}',
        **{f"{key} = {value}": message_with(key, value) for key, value in ODD_PARTS},
    }


#: Parts that kombu or Celery take for granted.
ODD_PARTS: list[tuple[str, Any]] = [
    ("properties.body_encoding", 7),
    ("properties.delivery_info", {}),
    ("properties.delivery_info.exchange", []),
    ("properties.priority", {}),
    ("properties.delivery_tag", []),
    ("content-type", []),
    ("content-encoding", 7),
    ("headers.eta", {}),
    ("headers.retries", "x"),
    ("headers.timelimit", 7),
    ("headers.compression", 7),
    ("headers.stamped_headers", 7),
]


def message_with(key: str, value: Any) -> str:
    entry = part = json.loads(message(json.dumps([["x"], {}, {}]).encode()))
    *path, last = key.split(".")
    for name in path:
        part = part[name]
    part[last] = value
    return json.dumps(entry)


def test_unpickling_the_canary_shows(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


def test_garbage_changes_nothing(fleet: Fleet, tmp_path: Path) -> None:
    worker = fleet.start_ready(NEOSERVE_MAX_BATCH_SIZE="4")
    canary = tmp_path / "canary"
    for number, (kind, entry) in enumerate(hostile_entries(canary).items()):
        for _ in range(6):  # More than the worker has slots: none may leak.
            fleet.client.lpush(QUEUE_NAME, entry)
        fleet.submit(f"j{number}")
        assert fleet.wait_status(f"j{number}", "succeeded").attempt == 1, kind
        wait_until(lambda: fleet.ring.pending() == 0, "the queue is read to its end")
        assert worker.process.poll() is None, f"{kind}\n{worker.err}"
    assert not canary.exists()
    assert "Traceback" not in worker.err
    assert "onnection to broker lost" not in worker.err
