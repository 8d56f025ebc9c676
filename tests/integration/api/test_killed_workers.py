"""/metrics while gunicorn has several workers that come and go: it counts what its clients count."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.waiting import wait_until

from .api_process import ApiProcess
from .conftest import StartApi

WORKERS = 2
REQUESTS = 120
CLIENTS = 8

#: What clients send, in turn, by the labels under which it is counted.
CALLS = {
    ("GET", "/healthz", "200"): ("GET", "/healthz"),
    ("GET", "/jobs/<job_id>", "404"): ("GET", "/jobs/job_none"),
    ("POST", "/jobs", "415"): ("POST", "/jobs"),
}

Counts = Counter[tuple[str, str, str]]


@pytest.fixture
def api(start_api: StartApi, real_store: JobStore, redis_url: str, tmp_path: Path) -> ApiProcess:
    arguments = f"--workers {WORKERS} --max-requests 30 --max-requests-jitter 10"
    return start_api(redis_url, GUNICORN_CMD_ARGS=arguments, TMPDIR=str(tmp_path))


def workers(api: ApiProcess) -> list[int]:
    master = api.process.pid
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def call(api: ApiProcess, labels: tuple[str, str, str]) -> bool:
    """Whether it was answered, and then as it should be."""
    method, path = CALLS[labels]
    connection = HTTPConnection("127.0.0.1", api.port, timeout=30)
    try:
        connection.request(method, path)
        status = connection.getresponse().status
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    assert str(status) == labels[2]
    return True


def send(api: ApiProcess, number: int) -> tuple[Counts, Counts]:
    """What was answered, and what was not because its worker was gone."""
    labels = [list(CALLS)[i % len(CALLS)] for i in range(number)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda each: call(api, each), labels))
    return (
        Counter(each for each, answered in zip(labels, answers, strict=True) if answered),
        Counter(each for each, answered in zip(labels, answers, strict=True) if not answered),
    )


def samples(api: ApiProcess, name: str) -> Iterator[tuple[dict[str, str], float]]:
    text = httpx.get(f"{api.url}/metrics", timeout=30).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                yield sample.labels, sample.value


def counted(api: ApiProcess, name: str = "neoserve_http_requests_total") -> Counts:
    counts: Counts = Counter()
    for labels, value in samples(api, name):
        key = (labels["method"], labels["route"], labels["status"])
        if key in CALLS:
            counts[key] += int(value)
    return counts


def test_counts_are_those_of_the_clients_though_workers_are_recycled_and_killed(
    api: ApiProcess, tmp_path: Path
) -> None:
    answered: Counts = Counter()
    served = set(workers(api))
    for _ in range(3):
        now, unanswered = send(api, REQUESTS)
        answered += now
        assert not unanswered
        served.update(workers(api))
        os.kill(workers(api)[0], signal.SIGKILL)
        wait_until(lambda: len(workers(api)) >= WORKERS, "the next ones are there")

    assert len(served) > WORKERS + 2  # The first ones, two that replace killed ones, and recycled ones.
    assert counted(api) == answered
    assert counted(api, "neoserve_http_request_seconds_count") == answered
    assert sum(answered.values()) == 3 * REQUESTS
    [folder] = tmp_path.glob("neoserve-metrics-*")
    # A worker that is recycled ends a moment after its successor has begun.
    assert len(list(folder.glob("counter_*"))) <= 2 * WORKERS
    api.stop()
    assert not folder.exists()


def test_a_kill_in_the_middle_of_requests_makes_nothing_up(api: ApiProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, api, 2 * REQUESTS)
        for _ in range(3):
            os.kill(workers(api)[0], signal.SIGKILL)
            before = sum(counted(api).values())
            wait_until(lambda: sum(counted(api).values()) > before or sending.done(), "it goes on")  # noqa: B023
        answered, unanswered = sending.result()

    found = counted(api)

    for labels in CALLS:
        assert answered[labels] <= found[labels] <= answered[labels] + unanswered[labels]


def test_a_client_of_a_killed_worker_waits_no_longer(api: ApiProcess, real_store: JobStore) -> None:
    def waiting() -> float:
        return sum(value for _, value in samples(api, "neoserve_waiting_clients"))

    real_store.submit(make_new_job("job_" + "a" * 32), max_queued=10)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(httpx.get, f"{api.url}/jobs/job_{'a' * 32}?wait=60", timeout=70)
        wait_until(lambda: waiting() == 1, "it waits")
        for pid in workers(api):
            os.kill(pid, signal.SIGKILL)
        assert isinstance(call.exception(), httpx.TransportError)
    wait_until(lambda: waiting() == 0, "nobody waits")
