from __future__ import annotations

import os
import signal
from time import monotonic

import httpx

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.conftest import StartApi
from tests.services import RealServer
from tests.unit.api.fakes import register_test_model
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}

#: The store's socket timeout, and some.
BOUND_SECONDS = 13


def test_without_redis_clients_are_told_to_come_back_and_the_process_lives(
    start_api: StartApi, own_server: RealServer
) -> None:
    with connect(own_server.url) as client:
        register_test_model(JobStore(client))
    api = start_api(own_server.url)
    job_id = httpx.post(f"{api.url}/jobs", json=BODY).json()["id"]
    own_server.stop()

    start = monotonic()
    refused = httpx.post(f"{api.url}/predict?wait=60", json=BODY, timeout=30)
    assert monotonic() - start < BOUND_SECONDS
    assert refused.status_code == 503
    assert refused.json()["code"] == "store_unavailable"
    assert int(refused.headers["Retry-After"]) > 0
    assert httpx.get(f"{api.url}/healthz").status_code == 200
    assert httpx.get(f"{api.url}/readyz").status_code == 200
    assert "neoserve_store_up 0.0" in httpx.get(f"{api.url}/metrics").text

    own_server.start()
    wait_until(lambda: httpx.get(f"{api.url}/jobs/{job_id}", timeout=30).status_code == 200, "it comes back")
    assert httpx.post(f"{api.url}/jobs", json=BODY, timeout=30).status_code == 202


def test_a_frozen_redis_costs_a_bounded_time(start_api: StartApi, own_server: RealServer) -> None:
    with connect(own_server.url) as client:
        register_test_model(JobStore(client))
        pid = int(client.info("server")["process_id"])
    api = start_api(own_server.url)
    assert httpx.post(f"{api.url}/jobs", json=BODY).status_code == 202
    os.kill(pid, signal.SIGSTOP)
    try:
        start = monotonic()
        refused = httpx.post(f"{api.url}/predict", json=BODY, timeout=30)
        seconds = monotonic() - start
        alive = httpx.get(f"{api.url}/healthz", timeout=5)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert refused.status_code == 503
    assert seconds < BOUND_SECONDS
    assert alive.status_code == 200


def test_a_password_never_shows(start_api: StartApi, own_server: RealServer) -> None:
    with connect(own_server.url) as client:
        client.config_set("requirepass", "another")
    api = start_api(own_server.url.replace("redis://", "redis://:s3cret@"))

    answers = [
        httpx.post(f"{api.url}/predict", json=BODY, timeout=30),
        httpx.get(f"{api.url}/info", timeout=30),
        httpx.get(f"{api.url}/metrics", timeout=30),
    ]
    api.stop()

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert not any("s3cret" in answer.text for answer in answers)
    assert "s3cret" not in api.output
