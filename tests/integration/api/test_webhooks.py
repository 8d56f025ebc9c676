"""Deliveries on a real server, and by processes that are killed."""

# ruff: noqa: F403
from __future__ import annotations

import base64
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx

from tasks.jobs.store import JobStore
from tasks.jobs.webhook_queue import DELIVERY_LEASE_SECONDS
from tests.hook_receiver import OK, HookReceiver
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.time_travel import let_pass
from tests.unit.api.fakes import FakeWorker
from tests.unit.api.webhooks.test_deliverer import *
from tests.waiting import wait_until

SETTINGS = {
    "NEOSERVE_WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"s" * 32).decode(),
    "NEOSERVE_WEBHOOK_ALLOW": "127.0.0.0/8",
}


def kill(api: ApiProcess) -> None:
    """gunicorn's master, before it can start anew what else is killed."""
    master = api.process.pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in (master, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_what_a_process_was_killed_over_another_delivers_under_the_same_id(
    redis_url: str, real_store: JobStore, worker: FakeWorker, start_api: StartApi
) -> None:
    """The first has sent it, and is killed before it hears the answer."""

    def answers(number: int) -> bytes:
        if number == 0:
            kill(first)
        return OK

    first = start_api(redis_url, **SETTINGS)
    with HookReceiver(answers) as receiver:
        body = {"text": "Once", "webhook": receiver.url()}
        job = httpx.post(f"{first.url}/jobs", json=body).json()
        worker.finish(worker.claim())
        wait_until(lambda: first.process.poll() is not None, "the first is killed")
        [log] = real_store.get(job["id"]).deliveries
        assert (log.attempts, log.delivered_at) == (1, None)

        start_api(redis_url, **SETTINGS)
        let_pass(real_store, DELIVERY_LEASE_SECONDS + 1)
        wait_until(lambda: real_store.get(job["id"]).deliveries[0].delivered_at, "the second delivers it")
    assert [each.headers["webhook-id"] for each in receiver.received] == [f"{job['id']}_completed"] * 2


def test_jobs_that_end_while_no_api_is_there_are_told_when_one_is_back(
    redis_url: str, real_store: JobStore, worker: FakeWorker, start_api: StartApi
) -> None:
    first = start_api(redis_url, **SETTINGS)
    with HookReceiver() as receiver:
        body = {"text": "Once", "webhook": receiver.url()}
        ids = {httpx.post(f"{first.url}/jobs", json=body).json()["id"] for _ in range(20)}
        kill(first)
        for _ in ids:
            worker.finish(worker.claim())
        assert receiver.received == []
        start_api(redis_url, **SETTINGS)
        start_api(redis_url, **SETTINGS)
        wait_until(lambda: len(receiver.received) >= 20, "all are told")
    assert sorted(each.headers["webhook-id"] for each in receiver.received) == sorted(
        f"{each}_completed" for each in ids
    )


def test_an_address_inside_is_not_told_by_a_service_as_it_comes(
    redis_url: str, real_store: JobStore, worker: FakeWorker, start_api: StartApi
) -> None:
    api = start_api(redis_url, NEOSERVE_WEBHOOK_SECRET=SETTINGS["NEOSERVE_WEBHOOK_SECRET"])
    with HookReceiver() as receiver:
        body = {"text": "Once", "webhook": f"https://localhost:{receiver.port}/s3cret"}
        job = httpx.post(f"{api.url}/jobs", json=body).json()
        worker.finish(worker.claim())
        wait_until(lambda: real_store.get(job["id"]).deliveries[0].code == "address_refused", "it is refused")
    assert receiver.num_connections == 0
    wait_until(lambda: "address_refused" in api.output, "the log says so")
    assert "s3cret" not in api.output
