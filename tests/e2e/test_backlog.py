"""More work than two workers can take, through two API replicas: places, estimates, refusals, the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import Fleet
from tests.waiting import wait_until

#: Jobs that both workers together run at a time.
SLOTS = 4
MAX_QUEUED = 30


@pytest.fixture
def urls(redis_url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Of two API replicas, with two workers."""
    with ExitStack() as ending:
        fleet = Fleet(redis_url, tmp_path)
        ending.callback(fleet.close)
        settings = {"NEOSERVE_MODEL": "scripted:0.02", "NEOSERVE_MAX_BATCH_SIZE": str(SLOTS // 2)}
        workers = [fleet.start(**settings) for _ in range(2)]
        apis = [ApiProcess(redis_url, NEOSERVE_MAX_QUEUED=str(MAX_QUEUED)) for _ in range(2)]
        for api in apis:
            ending.callback(api.stop)
            api.start()
        for worker in workers:
            worker.wait_ready()
        yield apis[0].url, apis[1].url


def post(url: str, *, key: str = "", **fields: Any) -> httpx.Response:
    body = {"text": "Once upon a time", "max_new_tokens": 100, **fields}
    return httpx.post(f"{url}/jobs", json=body, headers={"Idempotency-Key": key} if key else {})


def get(url: str, path: str) -> dict[str, Any]:
    answer = httpx.get(url + path)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_backlog_is_the_same_on_both_replicas(urls: tuple[str, str]) -> None:
    one, other = urls
    while (answer := post(one)).status_code == 202:
        last = answer.json()
    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    wait_until(lambda: get(other, f"/jobs/{last['id']}")["queue"]["eta_s"], "the pace was measured")
    seen = [get(url, f"/jobs/{last['id']}")["queue"] for url in urls]
    assert seen[0]["position"] >= seen[1]["position"] > 1
    assert all(each["eta_s"] > 0 for each in seen)


def test_a_deadline_is_measured_against_what_waits(urls: tuple[str, str]) -> None:
    one, other = urls
    known = post(one, key="k", deadline_s=1000, priority="low").json()
    jobs = [post(one, priority="low").json()["id"] for _ in range(20)]
    wait_until(lambda: get(other, f"/jobs/{jobs[-1]}")["queue"]["eta_s"], "it is known how long a job takes")

    refused = post(other, deadline_s=0.5, priority="low")
    assert (refused.status_code, refused.json()["code"]) == (422, "deadline_unmeetable")
    assert refused.json()["estimated_wait_s"] > refused.json()["deadline_s"] == 0.5
    assert post(other, key="k", deadline_s=1000, priority="low").json()["id"] == known["id"]

    def full_fleet() -> bool:
        fleets = [get(url, "/health") for url in urls]
        running = all(each["jobs"]["running"] == SLOTS for each in fleets)
        return running and all(each["models"][0]["tokens_per_s"] for each in fleets)

    wait_until(full_fleet, "both replicas show full workers, and their pace")
    fleet = get(one, "/health")
    assert fleet["status"] == "ok"
    assert [(each["slots"], each["jobs"]) for each in fleet["workers"]] == [(2, 2), (2, 2)]
    (model,) = fleet["models"]
    assert model["queued"]["low"] == fleet["queue"]["depth"] > 0
    waits = model["estimated_wait_s"]
    assert waits["high"] <= waits["normal"] <= waits["low"]
    assert model["tokens_per_s"] > 0
