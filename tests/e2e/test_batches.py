"""Batches over HTTP, on two API processes and two workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.stack import Stack
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.fragile_model import FAILS
from tests.integration.worker.processes import FRAGILE_APP, Fleet
from tests.waiting import wait_until

NUM_ITEMS = 2000


@pytest.fixture
def apis(redis_url: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with ExitStack() as stack:
        processes = [ApiProcess(redis_url) for _ in range(2)]
        for process in processes:
            process.start()
            stack.callback(process.stop)
        one, two = (
            stack.enter_context(httpx.Client(base_url=process.url, timeout=60)) for process in processes
        )
        yield one, two


@pytest.fixture
def fleet(redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, tmp_path)
    yield fleet
    fleet.close()


def register_model(fleet: Fleet) -> None:
    """And leave no worker."""
    worker = fleet.start_ready()
    worker.process.terminate()
    worker.wait()


def post_lines(
    api: httpx.Client, items: list[dict[str, Any]], key: str = "", **options: Any
) -> httpx.Response:
    lines = "\n".join(json.dumps(each) for each in [{"batch": options}, *items])
    headers = {"Content-Type": "application/jsonl", **({"Idempotency-Key": key} if key else {})}
    return api.post("/batches", content=lines, headers=headers)


def results(api: httpx.Client, batch: Any) -> list[dict[str, Any]]:
    answer = api.get(batch["urls"]["results"])
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_thousands_of_items_end_each_as_it_must_and_single_jobs_go_before_them(
    apis: tuple[httpx.Client, httpx.Client], fleet: Fleet
) -> None:
    one, two = apis
    workers = [fleet.start(app=FRAGILE_APP) for _ in range(2)]
    for worker in workers:
        worker.wait_ready()
    bad = set(range(7, NUM_ITEMS, 100))
    items = [
        {"text": FAILS if i in bad else f"prompt {i}", "custom_id": f"id-{i}", "seed": i}
        for i in range(NUM_ITEMS)
    ]
    answer = post_lines(one, items, defaults={"max_new_tokens": 4})
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    for i in range(20):
        single = two.post("/predict?wait=30", json={"text": f"single {i}", "max_new_tokens": 4})
        assert single.status_code == 200, single.text
    last_single = single.json()["completed_at"]

    def batch_now() -> Any:
        found = two.get(batch["urls"]["self"]).json()
        assert found["counts"]["queued"] + found["counts"]["running"] <= 64
        return found

    wait_until(lambda: batch_now()["status"] == "completed", "the batch is completed", seconds=60)
    found = two.get(batch["urls"]["self"]).json()
    assert found["completed_at"] > last_single
    assert (found["counts"]["succeeded"], found["counts"]["failed"]) == (NUM_ITEMS - len(bad), len(bad))
    lines = results(two, batch)
    assert [line["custom_id"] for line in lines] == [f"id-{i}" for i in range(NUM_ITEMS)]
    assert {line["index"] for line in lines if line["status"] == "failed"} == bad
    for i, line in enumerate(lines):
        if i in bad:
            assert line["error"]["code"] == "generation_failed"
        else:
            assert line["result"][0]["generated_text"].startswith(f"prompt {i}")
            assert (line["usage"]["completion_tokens"], line["parameters"]["seed"]) == (4, i)
    again = one.post("/predict?wait=30", json={"text": "prompt 5", "max_new_tokens": 4, "seed": 5}).json()
    assert again["result"] == lines[5]["result"], "an item is what the same request is alone"
    for ended in (each.ended_jobs() for each in workers):
        assert len(ended) > 100, "both workers had their part"


def test_a_single_job_waits_behind_no_item(apis: tuple[httpx.Client, httpx.Client], fleet: Fleet) -> None:
    one, two = apis
    register_model(fleet)
    assert post_lines(one, [{"text": "a"}] * 100).status_code == 202
    for priority in ("high", "normal"):
        job = two.post("/jobs", json={"text": "b", "priority": priority}).json()
        assert two.get(job["urls"]["self"]).json()["queue"]["position"] == 1


def test_the_same_key_twenty_times_at_once_makes_one_batch(
    apis: tuple[httpx.Client, httpx.Client], fleet: Fleet
) -> None:
    register_model(fleet)
    items = [{"text": f"prompt {i}"} for i in range(200)]
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda i: post_lines(apis[i % 2], items, key="k"), range(20)))
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["id"] for each in answers}) == 1
    assert ["Idempotent-Replayed" in each.headers for each in answers].count(False) == 1
    assert fleet.store.num_queued() == 64


def test_a_batch_in_the_middle_is_canceled(apis: tuple[httpx.Client, httpx.Client], fleet: Fleet) -> None:
    one, two = apis
    fleet.start_ready(NEOSERVE_MODEL="scripted:0.02", NEOSERVE_MAX_BATCH_SIZE="4")
    batch = post_lines(one, [{"text": "a", "max_new_tokens": 10}] * 300).json()
    self_url = batch["urls"]["self"]
    wait_until(lambda: two.get(self_url).json()["counts"]["succeeded"] >= 3, "some items have ended")
    assert two.post(batch["urls"]["cancel"]).status_code == 202
    wait_until(lambda: one.get(self_url).json()["status"] == "canceled", "the batch is over")
    counts = one.get(self_url).json()["counts"]
    assert counts["canceled"] >= 300 - 3 - 64
    assert counts["canceled"] + counts["succeeded"] == 300
    states = Counter(line["status"] for line in results(one, batch))
    assert states == {"canceled": counts["canceled"], "succeeded": counts["succeeded"]}


def test_items_of_a_killed_worker_end_exactly_once(tmp_path: Path) -> None:
    with Stack(tmp_path / "stack", lease=2.0) as stack:
        victim, _ = stack.start_workers(2, NEOSERVE_MODEL="scripted:0.02")
        api = httpx.Client(base_url=stack.start_api().url, timeout=60)
        with api:
            batch = post_lines(
                api, [{"text": f"prompt {i}", "max_new_tokens": 10} for i in range(300)]
            ).json()
            self_url = batch["urls"]["self"]
            wait_until(lambda: stack.held_by(victim), "it holds some")
            orphans = stack.held_by(victim)
            victim.stop()
            wait_until(
                lambda: api.get(self_url).json()["status"] == "completed", "the batch is over", seconds=40
            )
            assert api.get(self_url).json()["counts"]["succeeded"] == 300
            for i, line in enumerate(results(api, batch)):
                assert line["result"][0]["generated_text"].startswith(f"prompt {i}")
            again = [api.get(f"/jobs/{job}").json()["attempt"] for job in orphans]
        assert max(again) == 2
