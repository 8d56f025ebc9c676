"""Idle, slow and vanishing clients: they are refused in the end, and cost the others nothing."""

from __future__ import annotations

import json
import signal
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.integration.api.slow_clients import (
    HEAD,
    LONG_BODY,
    Dribblers,
    connection_to,
    read_to_the_end,
)
from tests.waiting import wait_until

BODY = {"text": "a"}
GOOD_CLIENTS = 20


@pytest.fixture
def small_api(start_api: StartApi, real_store: JobStore, redis_url: str) -> ApiProcess:
    """With 74 threads, fewer than a test has connections, and with limits worth waiting for."""
    limits = {"NEOSERVE_HEADER_SECONDS": "2", "NEOSERVE_BODY_SECONDS": "3"}
    return start_api(redis_url, NEOSERVE_MAX_WAITERS="10", **limits)


@pytest.fixture
def patient_api(start_api: StartApi, real_store: JobStore, redis_url: str) -> ApiProcess:
    """With 74 threads, and with limits that no test outlasts."""
    limits = {"NEOSERVE_HEADER_SECONDS": "100", "NEOSERVE_BODY_SECONDS": "100"}
    return start_api(redis_url, NEOSERVE_MAX_WAITERS="10", **limits)


def submit_from_many_clients(api: ApiProcess, requests_each: int = 5) -> list[int]:
    """Every status; each request with a connection of its own, as most of the requests of this world."""

    def client(_: int) -> list[int]:
        return [
            httpx.post(f"{api.url}/jobs", json=BODY, timeout=10).status_code for _ in range(requests_each)
        ]

    with ThreadPoolExecutor(GOOD_CLIENTS) as pool:
        return [status for statuses in pool.map(client, range(GOOD_CLIENTS)) for status in statuses]


def problem_in(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    problem: dict[str, object] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % problem["status"])
    assert f"x-request-id: {problem['request_id']}" in head.decode().lower()
    return problem


def test_idle_and_dribbling_connections_leave_the_threads_to_the_others(patient_api: ApiProcess) -> None:
    """With the limits out of reach: more idle connections than threads, and slow ones in a third of them."""
    beginnings = [HEAD + b"X-Slow: ", LONG_BODY + b"{"] * 10
    with ExitStack() as ending:
        for _ in range(200):
            ending.enter_context(connection_to(patient_api.port))
        ending.enter_context(Dribblers(patient_api.port, beginnings).running())

        assert submit_from_many_clients(patient_api) == [202] * 5 * GOOD_CLIENTS
        assert httpx.get(f"{patient_api.url}/healthz", timeout=5).status_code == 200


def test_dribbled_headers_and_bodies_end_with_408(small_api: ApiProcess, real_store: JobStore) -> None:
    """A byte a second is no silence, but it is not in time either."""
    beginnings = [HEAD + b"X-Slow: ", LONG_BODY + b"{"] * 10
    with Dribblers(small_api.port, beginnings, seconds=0.2).running() as slow:
        answers = slow.answers()

    problems = [problem_in(answer) for answer in answers]
    assert {(each["status"], each["code"]) for each in problems} == {(408, "request_timeout")}
    assert real_store.num_queued() == 0
    assert 'neoserve_rejections_total{code="request_timeout"} 20.0' in metrics(small_api)


@pytest.mark.slow
def test_a_body_in_tiny_chunks_has_the_same_limit(small_api: ApiProcess) -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n"
    with Dribblers(small_api.port, [chunked], seconds=0.2).running() as slow:
        (answer,) = slow.answers()
    assert problem_in(answer)["status"] == 408


def test_a_body_that_nobody_wants_is_not_waited_for(small_api: ApiProcess) -> None:
    """The route does not exist; what the client goes on sending is thrown away, but not for ever."""
    request = LONG_BODY.replace(b"/jobs", b"/nowhere") + b"{"
    with Dribblers(small_api.port, [request], seconds=0.2).running() as slow:
        (answer,) = slow.answers()
    assert answer.startswith(b"HTTP/1.1 404")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.slow
def test_headers_of_a_later_request_have_the_same_limit(small_api: ApiProcess) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with Dribblers(small_api.port, [first + HEAD + b"X-Slow: "], seconds=0.2).running() as slow:
        (answers,) = slow.answers()
    first_answer, _, second = answers.partition(b"HTTP/1.1 408")
    assert first_answer.startswith(b"HTTP/1.1 200")
    assert b"request_timeout" in second


def test_a_connection_that_never_says_anything_is_closed(small_api: ApiProcess) -> None:
    with connection_to(small_api.port) as idle:
        assert read_to_the_end(idle) == b""


@pytest.mark.slow
def test_a_kept_connection_outlives_the_limit_of_a_new_one(small_api: ApiProcess) -> None:
    with httpx.Client(base_url=small_api.url) as client, connection_to(small_api.port) as idle:
        assert client.get("/healthz").status_code == 200
        read_to_the_end(idle)  # Now the limit is over.
        answer = client.get("/healthz")
        assert answer.status_code == 200
        assert answer.extensions["network_stream"].get_extra_info("socket").fileno() > 0


@pytest.mark.slow
def test_an_answer_that_nobody_reads_holds_no_thread_for_ever(small_api: ApiProcess) -> None:
    """So many requests in one connection that their answers fill every buffer between the two."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", small_api.port))
        deaf.settimeout(0.5)
        request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        try:
            while True:
                deaf.sendall(request * 100)
        except TimeoutError:
            pass  # Neither side reads any more.
        wait_until(lambda: is_closed(deaf), "the server gives up", seconds=30)
    assert "Traceback" not in small_api.output


def is_closed(connection: socket.socket) -> bool:
    try:
        connection.send(b"x")
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_connections_that_are_cut_in_the_middle_leave_nothing_behind(
    small_api: ApiProcess, real_store: JobStore
) -> None:
    """Ended or reset, in the headers or in the body: no job, no trace, and every thread is free again."""
    for i in range(200):
        with connection_to(small_api.port) as connection:
            connection.sendall(HEAD if i % 2 else LONG_BODY + b"{")
            if i % 4 < 2:  # Close with a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert submit_from_many_clients(small_api) == [202] * 5 * GOOD_CLIENTS
    assert real_store.num_queued() == 5 * GOOD_CLIENTS
    assert "Traceback" not in small_api.output


def test_closing_does_not_hold_up_those_who_connect(patient_api: ApiProcess) -> None:
    """Fifty clients read their last answer and do not close: the server lingers over each for a while."""
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with ExitStack() as ending:
        for _ in range(50):
            connection = ending.enter_context(connection_to(patient_api.port))
            connection.sendall(last)
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert submit_from_many_clients(patient_api) == [202] * 5 * GOOD_CLIENTS


def test_silent_connections_do_not_hold_up_the_end(patient_api: ApiProcess) -> None:
    with ExitStack() as ending:
        for _ in range(10):
            ending.enter_context(connection_to(patient_api.port))
        assert httpx.get(f"{patient_api.url}/healthz").status_code == 200
        assert patient_api.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CANARY\r\n\r\n", 400),
        (b"GET /CANARY HTTP/1.1\r\nHost a\r\n\r\n", 400),
        (b"POST /" + b"CANARY" * 2_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (HEAD + b"Expect: CANARY\r\n\r\n", 417),
        (HEAD + b"X-Long: " + b"CANARY" * 20_000 + b"\r\n\r\n", 431),
        (HEAD + b"Transfer-Encoding: canary\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else None,
)
def test_what_is_no_request_is_answered_with_a_problem(api: ApiProcess, data: bytes, status: int) -> None:
    with connection_to(api.port) as connection:
        connection.sendall(data)
        answer = read_to_the_end(connection)
    assert problem_in(answer)["status"] == status
    assert b"canary" not in answer.lower()
    assert "canary" not in api.output.lower()


def metrics(api: ApiProcess) -> str:
    return httpx.get(f"{api.url}/metrics").text
