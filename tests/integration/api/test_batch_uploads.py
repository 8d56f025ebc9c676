"""Large batches, and what they cost the process that reads them and its other clients."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.waiting import wait_until

MIB = 2**20


def most_memory(api: ApiProcess) -> int:
    """Of the process that serves, in bytes, since its start."""
    (child,) = Path(f"/proc/{api.process.pid}/task/{api.process.pid}/children").read_text().split()
    (kib,) = re.findall(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
    return int(kib) * 1024


def full_upload() -> bytes:
    """10,000 items in 32 MiB, most of it blanks, which cost no tokens."""
    lines = [json.dumps({"text": f"prompt {i}", "max_new_tokens": 4}).encode() for i in range(10_000)]
    width = 32 * MIB // len(lines) - 1
    return b"\n".join(line.ljust(width) for line in lines)


def post(api: ApiProcess, body: bytes) -> httpx.Response:
    headers = {"Content-Type": "application/jsonl"}
    return httpx.post(f"{api.url}/batches", content=body, headers=headers, timeout=60)


def test_the_largest_batch_is_taken_while_others_are_served(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    api = start_api(redis_url)
    assert post(api, b'{"text": "a"}').status_code == 202
    before, body, answered = most_memory(api), full_upload(), 0
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=api.url, timeout=30) as client:
        upload = pool.submit(post, api, body)
        while not upload.done():
            assert client.get("/healthz").status_code == 200
            assert client.post("/jobs", json={"text": "a"}).status_code == 202
            answered += 1
        assert upload.result().status_code == 202, upload.result().text
    assert answered > 10
    assert upload.result().json()["counts"]["total"] == 10_000
    assert most_memory(api) - before < 2 * len(body)


def test_a_body_that_is_too_large_is_refused(api: ApiProcess) -> None:
    body = full_upload() + b"\n" * MIB
    assert post(api, body).json()["code"] == "payload_too_large"

    def pieces() -> object:
        yield body

    headers = {"Content-Type": "application/jsonl"}
    chunked = httpx.post(f"{api.url}/batches", content=pieces(), headers=headers, timeout=60)  # type: ignore[arg-type]
    assert chunked.json()["code"] == "payload_too_large"


def test_an_upload_that_breaks_off_leaves_nothing(api: ApiProcess, real_store: JobStore) -> None:
    keys = set(real_store.client.scan_iter("*"))
    line = b'{"text": "a"}\n' * 200
    fields = b"Host: a\r\nContent-Type: application/jsonl\r\nContent-Length: 9000\r\n\r\n"
    assert b" 400 " in api.send(b"POST /batches HTTP/1.1\r\n" + fields + line)
    wait_until(lambda: set(real_store.client.scan_iter("*")) == keys, "nothing is left")


def test_results_that_are_lost_on_the_way_do_not_seem_whole(
    api: ApiProcess, real_store: JobStore, redis_url: str
) -> None:
    """The batch goes while its results are sent: the answer ends without its end."""
    lines = b"\n".join(json.dumps({"text": "a " * 100}).encode() for _ in range(5000))
    batch = post(api, lines).json()
    with httpx.stream("GET", api.url + batch["urls"]["results"], timeout=30) as answer:
        pieces = answer.iter_raw(1024)
        next(pieces)
        real_store.client.delete(f"{real_store.namespace}:batch:{batch['id']}")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            list(pieces)
    wait_until(lambda: f"batch_id={batch['id']} its results were cut off" in api.output, "the log says so")
    assert "Traceback" not in api.output
