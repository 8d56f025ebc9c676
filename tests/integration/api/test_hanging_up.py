"""Clients that hang up, at real APIs on a real server: what becomes of their jobs and of their seats."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redis

from tasks.jobs.attendance import LEASE_SECONDS
from tasks.jobs.connection import connect
from tasks.jobs.models import JobStatus
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.integration.api.slow_clients import connection_to, read_to_the_end
from tests.job_steps import claim, finish
from tests.services import RealServer
from tests.time_travel import let_pass
from tests.unit.api.fakes import register_test_model
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}
#: A reaper begins ten seconds after its process.
SECONDS = 30.0


def gauge(api: ApiProcess, name: str) -> float:
    for line in httpx.get(f"{api.url}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(f"{name} is missing")


def submit(api: ApiProcess, **changes: object) -> str:
    """Nobody waits for it; it is canceled when the last one hangs up who does."""
    body = {**BODY, "cancel_on_disconnect": True, **changes}
    return str(httpx.post(f"{api.url}/jobs", json=body).json()["id"])


def get(api: ApiProcess, path: str) -> socket.socket:
    """A connection on which the request was sent and nothing was read."""
    connection = connection_to(api.port)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return connection


def path_of(job_id: str, how: str) -> str:
    return f"/jobs/{job_id}/events" if how == "reads" else f"/jobs/{job_id}?wait=60"


def clients(store: JobStore, job_id: str) -> int:
    return int(store.client.zcard(f"{store.namespace}:clients:{job_id}"))


def until_clients(store: JobStore, job_id: str, number: int) -> None:
    wait_until(lambda: clients(store, job_id) == number, f"{number} wait for the job")


def until_canceled(store: JobStore, *job_ids: str) -> None:
    wait_until(
        lambda: all(store.get(each).status is JobStatus.CANCELED for each in job_ids),
        "the jobs are canceled",
        seconds=SECONDS,
    )


def kill(api: ApiProcess) -> None:
    """The process that serves, and the one that would start another."""
    master = api.process.pid
    (serving,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    os.kill(master, signal.SIGKILL)
    os.kill(int(serving), signal.SIGKILL)
    api.wait()


@pytest.fixture
def other(start_api: StartApi, real_store: JobStore, redis_url: str) -> ApiProcess:
    return start_api(redis_url)


@pytest.mark.parametrize("how", ["reads", "waits"])
def test_a_client_that_is_back_at_once_at_another_replica_keeps_its_job(
    api: ApiProcess, other: ApiProcess, real_store: JobStore, how: str
) -> None:
    kept, left = submit(api), submit(api)
    with ExitStack() as ending:
        with get(api, path_of(kept, how)):
            until_clients(real_store, kept, 1)
        until_clients(real_store, kept, 0)
        ending.enter_context(get(other, path_of(kept, how)))
        until_clients(real_store, kept, 1)
        with get(api, path_of(left, how)):
            until_clients(real_store, left, 1)
        until_canceled(real_store, left)
        assert real_store.get(kept).status is JobStatus.QUEUED, "it was left longer ago"
    until_canceled(real_store, kept)


def test_who_is_back_and_finds_no_seat_keeps_its_job(
    api: ApiProcess, start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    full = start_api(redis_url, NEOSERVE_MAX_WAITERS="1")
    kept, left = submit(api), submit(api)
    with get(full, path_of(submit(api), "waits")):
        wait_until(lambda: gauge(full, "neoserve_waiting_clients") == 1, "the seat is taken")
        with get(api, path_of(kept, "waits")):
            until_clients(real_store, kept, 1)
        until_clients(real_store, kept, 0)
        assert httpx.get(f"{full.url}/jobs/{kept}?wait=60").json()["status"] == "queued"
        with get(api, path_of(left, "waits")):
            until_clients(real_store, left, 1)
        until_canceled(real_store, left)
    assert real_store.get(kept).status is JobStatus.QUEUED


@pytest.mark.parametrize("how", ["reads", "waits"])
def test_an_api_that_dies_after_a_hang_up_takes_no_cancel_along(
    api: ApiProcess, other: ApiProcess, real_store: JobStore, how: str
) -> None:
    job_id = submit(api)
    with get(other, path_of(job_id, how)):
        until_clients(real_store, job_id, 1)
    until_clients(real_store, job_id, 0)
    kill(other)
    until_canceled(real_store, job_id)


def test_the_clients_of_an_api_that_died_count_until_their_lease_is_over(
    api: ApiProcess, other: ApiProcess, real_store: JobStore
) -> None:
    shared, left, back, untouched = (submit(api) for _ in range(4))
    with ExitStack() as ending:
        for job_id in (shared, left, back):
            ending.enter_context(get(other, path_of(job_id, "waits")))
            until_clients(real_store, job_id, 1)
        with get(api, path_of(shared, "reads")):
            until_clients(real_store, shared, 2)
        until_clients(real_store, shared, 1)
        kill(other)
        assert clients(real_store, shared) == 1
        ending.enter_context(get(api, path_of(back, "waits")))
        until_clients(real_store, back, 2)
        let_pass(real_store, LEASE_SECONDS - 5)
        ending.enter_context(get(api, path_of(back, "reads")))
        until_canceled(real_store, shared, left)
        assert {real_store.get(each).status for each in (back, untouched)} == {JobStatus.QUEUED}


@pytest.mark.slow
def test_who_hangs_up_while_redis_is_away_cancels_after_it(
    start_api: StartApi, own_server: RealServer
) -> None:
    with connect(own_server.url) as client:
        store = JobStore(client)
        register_test_model(store)
        api = start_api(own_server.url)
        kept, *left = submit(api), submit(api), submit(api)
        with get(api, path_of(kept, "waits")):
            with get(api, path_of(left[0], "waits")), get(api, path_of(left[1], "reads")):
                for job_id in (kept, *left):
                    until_clients(store, job_id, 1)
                own_server.shut_down()
            wait_until(lambda: "Redis cannot be told" in api.output, "it is tried to tell")
            own_server.start()
            until_canceled(store, *left)
            assert store.get(kept).status is JobStatus.QUEUED


def test_clients_that_have_gone_give_their_seats_back_and_their_jobs_go_on(
    start_api: StartApi, real_store: JobStore, redis_url: str
) -> None:
    api = start_api(redis_url, NEOSERVE_MAX_WAITERS="3")
    items = b'{"custom_id":"a","text":"a"}'
    headers = {"Content-Type": "application/jsonl"}
    batch_id = httpx.post(f"{api.url}/batches", content=items, headers=headers).json()["id"]
    job_id = submit(api, cancel_on_disconnect=False)
    for _ in range(3):
        with ExitStack() as ending:
            for path in (
                f"/jobs/{job_id}?wait=60",
                f"/jobs/{job_id}?wait=60",
                f"/batches/{batch_id}?wait=60",
            ):
                ending.enter_context(get(api, path))
            wait_until(lambda: gauge(api, "neoserve_waiting_clients") == 3, "all seats are taken")
        wait_until(lambda: gauge(api, "neoserve_waiting_clients") == 0, "the seats are free")
    assert real_store.get(job_id).status is JobStatus.QUEUED
    assert httpx.get(f"{api.url}/batches/{batch_id}").json()["status"] == "running"
    gone = 'neoserve_handovers_total{reason="gone"} 9.0'
    assert gone in httpx.get(f"{api.url}/metrics").text


def test_a_client_of_a_plain_job_that_has_only_said_all_it_had_to_say_gets_its_answer(
    api: ApiProcess, real_store: JobStore
) -> None:
    job_id = submit(api, cancel_on_disconnect=False)
    with get(api, path_of(job_id, "waits")) as connection:
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while b"HTTP/1.1 100" not in received:
            received += connection.recv(65536)
        assert finish(real_store, claim(real_store), "text")
        answer = received + read_to_the_end(connection)
    assert b"HTTP/1.1 200 OK" in answer
    assert b'"status":"succeeded"' in answer


def test_of_clients_that_have_gone_nothing_is_left(
    api: ApiProcess, real_store: JobStore, real_client: redis.Redis
) -> None:
    canceled, plain = submit(api), submit(api, cancel_on_disconnect=False)
    with get(api, path_of(canceled, "waits")), get(api, path_of(plain, "waits")):
        until_clients(real_store, canceled, 1)
        assert clients(real_store, plain) == 0
        assert real_client.pttl(f"neoserve:clients:{canceled}") > 0
    until_canceled(real_store, canceled)
    assert not real_client.exists(f"neoserve:clients:{canceled}", "neoserve:attended")
