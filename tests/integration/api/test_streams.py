"""Streams of a real API on a real server, with a worker that does what the test says."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import httpx
import pytest
import redis

from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import Outcome, Piece
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.integration.api.slow_clients import connection_to, read_to_the_end
from tests.job_steps import WORKER, claim, finish, step, text_piece
from tests.sse import Following, Reader, follow, parse_bytes
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}
FLAGGED = {**BODY, "cancel_on_disconnect": True}
#: A reaper begins ten seconds after its process.
REAPED_SECONDS = 30.0
HEAD = b"POST /predict?wait=60 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def gauge(api: ApiProcess, name: str) -> float:
    for line in httpx.get(f"{api.url}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(f"{name} is missing")


def submit(api: ApiProcess, **changes: object) -> str:
    return str(httpx.post(f"{api.url}/jobs", json={**BODY, **changes}).json()["id"])


def status_of(store: JobStore, job_id: str) -> JobStatus:
    return store.get(job_id).status


def until_canceled(store: JobStore, job_id: str) -> None:
    wait_until(
        lambda: status_of(store, job_id) is JobStatus.CANCELED, "the job is canceled", seconds=REAPED_SECONDS
    )


def post(api: ApiProcess, body: bytes, *headers: bytes) -> socket.socket:
    """A connection on which the request was sent and nothing was read."""
    connection = connection_to(api.port)
    lines = b"".join(header + b"\r\n" for header in headers)
    connection.sendall(HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return connection


def waiting_job(api: ApiProcess, store: JobStore, number: int = 1) -> str:
    wait_until(lambda: gauge(api, "neoserve_waiting_clients") == number, "the call waits")
    (job_id,) = store.oldest_queued(1)
    return job_id


WAITING = b'{"text":"a","cancel_on_disconnect":true}'


def test_200_readers_share_one_connection_to_redis(
    api: ApiProcess, real_store: JobStore, real_client: redis.Redis
) -> None:
    job_ids = [submit(api) for _ in range(20)]
    # The API's reaper must not take them back, however long 200 threads need on a busy machine.
    claims = [claim(real_store, lease_seconds=300) for _ in job_ids]

    def reading() -> list[dict[str, str]]:
        return [each for each in real_client.client_list() if each["cmd"] == "xread"]

    def write(number: int) -> None:
        for each in claims:
            piece = text_piece("ab", 2 * number)
            step(real_store, each, piece, num_tokens=2 * number + 2, lease_seconds=300)
        wait_until(
            lambda: all(len(each.reader.text) == 2 * number + 2 for each in readers), "all read", seconds=60
        )

    readers = [Following(api.url, f"/jobs/{job_ids[number % 20]}/events") for number in range(200)]
    for reader in readers:
        reader.start()
    wait_until(lambda: gauge(api, "neoserve_open_streams") == 200, "all have begun", seconds=60)
    write(0)  # Until the first news, some may still look for themselves.
    connections = len(real_client.client_list())
    for number in range(1, 5):
        write(number)
    assert len(reading()) == 1
    assert len(real_client.client_list()) <= connections
    for each in claims:
        assert finish(real_store, each, "ab" * 5 + each.job.id)

    for reader in readers:
        reader.result().check(BODY["text"])  # type: ignore[arg-type]
    wait_until(lambda: gauge(api, "neoserve_open_streams") == 0, "all are closed")


def test_a_deaf_reader_holds_up_nobody_and_misses_nothing(api: ApiProcess, real_store: JobStore) -> None:
    """6 MB of text, of which it takes next to nothing until all of it was made."""
    job_id = submit(api)
    taken = claim(real_store)
    step(real_store, taken)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", api.port))
        deaf.settimeout(60)
        request = f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        deaf.sendall(request.encode())
        quick = Following(api.url, f"/jobs/{job_id}/events")
        quick.start()
        wait_until(lambda: gauge(api, "neoserve_open_streams") == 2, "both read")
        texts = [f"{number:06}" * 2000 for number in range(500)]
        for begin in range(0, 500, 50):
            pieces = [
                Piece(row=0, from_index=12_000 * number, text=texts[number])
                for number in range(begin, begin + 50)
            ]
            step(real_store, taken, *pieces, num_tokens=1)
        real_store.finish(WORKER, job_id, taken.attempt, Outcome(status=JobStatus.CANCELED))
        assert quick.result().text == "".join(texts)
        assert gauge(api, "neoserve_open_streams") == 1
        head, _, body = read_to_the_end(deaf).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    late = Reader().take_all(parse_bytes(unchunked(body)))
    assert late.text == "".join(texts)
    assert late.names[-1] == "done"


def unchunked(body: bytes) -> bytes:
    parts, at = [], 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def test_streams_and_waiting_calls_share_the_seats(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    api = start_api(redis_url, NEOSERVE_MAX_WAITERS="2")
    job_id = submit(api)
    with ExitStack() as ending:
        _, events = ending.enter_context(follow(api.url, f"/jobs/{job_id}/events"))
        next(events)
        waiting = ending.enter_context(post(api, b'{"text":"a"}'))
        wait_until(lambda: gauge(api, "neoserve_waiting_clients") == 1, "the call waits")
        before = real_store.num_queued()
        for refused in (
            httpx.get(f"{api.url}/jobs/{job_id}/events"),
            httpx.post(f"{api.url}/predict", json=BODY, headers={"Accept": "text/event-stream"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert int(refused.headers["Retry-After"]) > 0
        assert real_store.num_queued() == before, "what cannot be followed is not recorded"
        waiting.close()
    wait_until(lambda: gauge(api, "neoserve_open_streams") == 0, "the stream is closed")
    with follow(api.url, f"/jobs/{job_id}/events") as (answer, _):
        assert answer.status_code == 200


def test_a_waiting_client_that_hangs_up_cancels_its_job(api: ApiProcess, real_store: JobStore) -> None:
    with post(api, WAITING):
        job_id = waiting_job(api, real_store)
        taken = claim(real_store)
        step(real_store, taken)
    wait_until(
        lambda: real_store.get(job_id).cancel_requested, "the job is asked to stop", seconds=REAPED_SECONDS
    )


@pytest.mark.parametrize("head", [b"", b"Connection: keep-alive"])
def test_a_proxy_of_http_1_0_that_hangs_up_cancels_its_job(
    api: ApiProcess, real_store: JobStore, head: bytes
) -> None:
    connection = connection_to(api.port)
    request = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: %d\r\n" % len(WAITING)
    connection.sendall(request + (head + b"\r\n" if head else b"") + b"\r\n" + WAITING)
    job_id = waiting_job(api, real_store)
    connection.close()
    until_canceled(real_store, job_id)


def test_a_streaming_client_that_hangs_up_cancels_its_job(api: ApiProcess, real_store: JobStore) -> None:
    with follow(api.url, "/predict", body=FLAGGED) as (_, events):
        job_id = next(events).data["job_id"]
    until_canceled(real_store, job_id)
    assert gauge(api, "neoserve_open_streams") == 0


def test_a_client_that_did_not_ask_for_it_cancels_nothing(api: ApiProcess, real_store: JobStore) -> None:
    with post(api, b'{"text":"a"}'):
        job_id = waiting_job(api, real_store)
    with follow(api.url, f"/jobs/{job_id}/events") as (_, events):
        next(events)
    wait_until(lambda: gauge(api, "neoserve_open_streams") == 0, "the stream is closed")
    assert status_of(real_store, job_id) is JobStatus.QUEUED


@pytest.mark.parametrize("accept", [b"Accept: application/json", b"Accept: text/event-stream"])
def test_a_client_that_has_only_said_all_it_had_to_say_gets_its_answer(
    api: ApiProcess, real_store: JobStore, accept: bytes
) -> None:
    """Its half of the connection is closed; it still reads."""
    with post(api, WAITING, accept, b"Connection: close") as connection:
        connection.shutdown(socket.SHUT_WR)
        wait_until(lambda: real_store.num_queued() == 1, "the job waits")
        (job_id,) = real_store.oldest_queued(1)
        probe = b"HTTP/1.1 100" if b"json" in accept else b":\n\n"
        received = b""
        while probe not in received:
            received += connection.recv(65536)
        assert finish(real_store, claim(real_store), "text")
        answer = received + read_to_the_end(connection)
    assert status_of(real_store, job_id) is JobStatus.SUCCEEDED
    assert b"HTTP/1.1 200 OK" in answer
    assert b"Hello" not in answer
    assert b'"generated_text":"atext"' in answer


def test_a_repeated_request_keeps_the_job_that_its_first_one_left(
    api: ApiProcess, start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    """At another replica; and when the second one goes as well, nobody is left."""
    other = start_api(redis_url)
    key = b"Idempotency-Key: k"
    with post(other, WAITING, key) as second:
        with post(api, WAITING, key):
            job_id = waiting_job(api, real_store)
            wait_until(lambda: gauge(other, "neoserve_waiting_clients") == 1, "both wait")
        wait_until(lambda: gauge(api, "neoserve_waiting_clients") == 0, "the first was seen to go")
        assert status_of(real_store, job_id) is JobStatus.QUEUED
        second.close()
    until_canceled(real_store, job_id)


def test_a_drain_cancels_nothing(start_api: StartApi, real_store: JobStore, redis_url: str) -> None:
    api = start_api(redis_url)
    following = Following(api.url, f"/jobs/{submit(api, cancel_on_disconnect=True)}/events")
    following.start()
    wait_until(lambda: gauge(api, "neoserve_open_streams") == 1, "it reads")
    with post(api, WAITING):
        wait_until(lambda: gauge(api, "neoserve_waiting_clients") == 1, "the call waits")
        api.stop()
    assert following.result().names[-1] == "retry"
    assert real_store.num_queued() == 2


def test_who_waits_leaves_no_key_behind(
    api: ApiProcess, real_store: JobStore, real_client: redis.Redis
) -> None:
    with post(api, WAITING, b"Connection: close") as connection:
        waiting_job(api, real_store)
        wait_until(lambda: real_client.keys("neoserve:clients:*"), "the client is known")
        assert all(real_client.pttl(key) > 0 for key in real_client.keys("neoserve:clients:*"))
        assert finish(real_store, claim(real_store), "text")
        read_to_the_end(connection)
    wait_until(
        lambda: not real_client.keys("neoserve:clients:*") + real_client.keys("neoserve:attended"),
        "nothing is left",
    )
