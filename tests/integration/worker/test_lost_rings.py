"""Rings that get lost come back, and a backlog does not become a flood of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tasks.jobs.reaper import Reaper
from tasks.jobs.record import encode_new_job
from tests.factories import make_new_job, make_parameters
from tests.integration.worker.processes import Fleet
from tests.services import free_port
from tests.waiting import wait_until

#: What is promised, however they got lost.
REPAIR_SECONDS = 15
BACKLOG = 100_000
SUBMITS_PER_CALL = 1000


@pytest.fixture
def reaper_of_an_api(fleet: Fleet) -> Iterator[Reaper]:
    reaper = Reaper(fleet.store, fleet.ring)
    reaper.start()
    yield reaper
    reaper.stop()


def submit(fleet: Fleet, number: int) -> list[str]:
    """Record and ring as the API does it, many in a round trip."""
    ids = [f"j{each}" for each in range(number)]
    for first in range(0, number, SUBMITS_PER_CALL):
        calls = [_call(fleet, job_id) for job_id in ids[first : first + SUBMITS_PER_CALL]]
        fleet.store._scripts.run_each("submit", calls)
    assert fleet.store.num_queued() == fleet.ring.pending() == number
    return ids


def _call(fleet: Fleet, job_id: str) -> list[str | int]:
    job = make_new_job(job_id, fingerprint="scripted", parameters=make_parameters(max_new_tokens=5))
    ring = fleet.ring.message(job_id)
    fields = [part for pair in encode_new_job(job).items() for part in pair]
    return [BACKLOG, 0, job.body_digest, ring.list, ring.entry, *fields]


def claims(ports: list[int], result: str) -> int:
    pattern = rf'neoserve_worker_claims_total{{result="{result}"}} (\S+)'
    shown = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in ports]
    return sum(int(float(number)) for text in shown for number in re.findall(pattern, text))


def rings_minus_jobs(fleet: Fleet) -> int:
    """At one moment."""
    with fleet.client.pipeline() as pipeline:
        rings, jobs = pipeline.llen(fleet.ring.list).zcard("neoserve:queued").execute()
    return int(rings) - int(jobs)


def delete(client: Any, rings: str) -> None:
    client.delete(rings)


def halve(client: Any, rings: str) -> None:
    client.ltrim(rings, 0, client.llen(rings) // 2 - 1)


@pytest.mark.parametrize("lose", [delete, halve])
def test_jobs_whose_rings_are_lost_are_claimed(fleet: Fleet, lose: Callable[[Any, str], None]) -> None:
    worker = fleet.start()
    ids = submit(fleet, 100)
    lose(fleet.client, fleet.ring.list)
    worker.wait_ready()
    wait_until(lambda: fleet.store.num_queued() == 0, "all are claimed", seconds=REPAIR_SECONDS)
    for job_id in ids:
        assert fleet.wait_status(job_id, "succeeded").attempt == 1
    assert rings_minus_jobs(fleet) <= 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_of_100_000_rings_hardly_one_is_surplus_and_all_come_back(
    fleet: Fleet, reaper_of_an_api: Reaper
) -> None:
    submit(fleet, BACKLOG)
    ports = [free_port(), free_port()]
    for port in ports:
        fleet.start(NEOSERVE_WORKER_METRICS_PORT=str(port))
    for worker in fleet.workers:
        worker.wait_ready()

    # More than ten seconds of them: each of the three reapers has looked several times.
    wait_until(lambda: claims(ports, "claimed") > 8000, "many jobs are claimed", seconds=120)
    surplus = claims(ports, "empty") + max(0, rings_minus_jobs(fleet))
    assert surplus < claims(ports, "claimed") / 100

    for lose in (halve, delete):
        lose(fleet.client, fleet.ring.list)
        # But for those that were heard a moment ago and have not led to a claim yet.
        wait_until(lambda: rings_minus_jobs(fleet) > -50, "they are back", seconds=REPAIR_SECONDS)
        before = claims(ports, "claimed")
        wait_until(lambda before=before: claims(ports, "claimed") > before + 1000, "claiming goes on")
        surplus = claims(ports, "empty") + max(0, rings_minus_jobs(fleet))
        assert surplus < claims(ports, "claimed") / 100
