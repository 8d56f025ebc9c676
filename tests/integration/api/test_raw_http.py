"""Bytes that no client library sends."""

from __future__ import annotations

import socket

import httpx
import pytest

from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.unit.api.fakes import FakeWorker

HEAD = b"POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SMALL = b'{"text":"a"}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (CHUNKED + chunk(SMALL) + chunk(b""), 202),
        (CHUNKED + b"".join(chunk(bytes([byte])) for byte in SMALL) + chunk(b""), 202),
        (CHUNKED + chunk(b'{"text":"') + chunk(b" " * 65536) * 5 + chunk(b'"}') + chunk(b""), 413),
        (HEAD + b"Content-Length: 300000\r\n\r\n" + b" " * 1000, 413),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (HEAD + b"Content-Length: 100\r\n\r\n" + SMALL, 400),
        (HEAD + b"Content-Length: 5\r\n\r\n" + SMALL, 400),
        (HEAD + b"\r\n" + SMALL, 400),
        (CHUNKED + b"zz\r\n" + SMALL, 400),
        (CHUNKED + b"ff\r\n" + SMALL, 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n" + SMALL, 400),
        (HEAD + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"POST /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (HEAD + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(SMALL) + chunk(b""), 400),
    ],
    ids=lambda value: repr(value[60:110]) if isinstance(value, bytes) else None,
)
def test_odd_framing_is_answered_with_a_4xx(
    api: ApiProcess, real_store: JobStore, data: bytes, expected: int
) -> None:
    assert status(api.send(data)) == expected
    assert real_store.num_queued() == (expected == 202)
    assert httpx.get(f"{api.url}/healthz").status_code == 200
    assert "Traceback" not in api.output


def test_pipelined_requests_get_an_answer_each(api: ApiProcess, real_store: JobStore) -> None:
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(SMALL) + SMALL
    last = one.replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
    received = b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(one + one + last)
        while part := connection.recv(65536):
            received += part

    assert received.count(b"HTTP/1.1 202") == 3
    assert real_store.num_queued() == 3


def test_slow_clients_do_not_slow_the_others(api: ApiProcess, worker: FakeWorker) -> None:
    """Fifty stop in the middle of their headers, fifty in the middle of their body."""
    worker.serve()
    slow = [socket.create_connection(("127.0.0.1", api.port), timeout=30) for _ in range(100)]
    try:
        for i, connection in enumerate(slow):
            connection.sendall(HEAD if i % 2 else HEAD + b"Content-Length: 100\r\n\r\n{")

        for _ in range(10):
            assert httpx.get(f"{api.url}/healthz", timeout=2).status_code == 200
            answer = httpx.post(f"{api.url}/predict?wait=10", json={"text": "a"}, timeout=10)
            assert answer.status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_a_body_taken_for_a_request_line_is_not_logged(api: ApiProcess) -> None:
    body = b'{"text":"CANARY-OF-A-PROMPT","seed":1}\r\n\r\n'
    connection = socket.create_connection(("127.0.0.1", api.port), timeout=30)
    with connection:
        # Without a Content-Length the body is what comes after the request: the next one.
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + body)
        answers = b""
        while piece := connection.recv(65536):
            answers += piece
    assert answers.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answers
    assert httpx.get(f"{api.url}/healthz").status_code == 200
    assert "CANARY" not in api.output
