"""The metrics of a deployment that loses a worker and an API process: they are what its client knows."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.deployment import Deployment
from tests.waiting import wait_until

ASYNC, SYNC, CANCELED, ITEMS = 12, 3, 2, 4
LONG = 2000


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path)
    deployment.start()
    try:
        deployment.repair()
        yield deployment
    finally:
        deployment.stop()


class Client:
    """Knows what it has asked for, at whatever API there is."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.ids: list[str] = []

    @property
    def url(self) -> str:
        return self._deployment.apis[-1].url

    def post(self, path: str, *, max_new_tokens: int = 20, **headers: str) -> httpx.Response:
        body = {"text": "Once upon a time", "max_new_tokens": max_new_tokens}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=60)

    def submit(self, path: str = "/jobs", **fields: Any) -> str:
        answer = self.post(path, **fields)
        assert answer.status_code in (200, 202)
        self.ids.append(answer.json()["id"])
        return self.ids[-1]

    def stream(self) -> None:
        answer = self.post("/predict", Accept="text/event-stream")
        assert "event: done" in answer.text
        self.ids.append(answer.headers["Location"].rsplit("/", 1)[1])

    def submit_batch(self) -> None:
        requests = [{"text": "Once", "max_new_tokens": 5}] * ITEMS
        answer = httpx.post(f"{self.url}/batches", json={"requests": requests})
        assert answer.status_code == 202
        batch = answer.json()["id"]
        wait_until(lambda: self._get(f"/batches/{batch}")["status"] == "completed", "the batch", seconds=60)
        lines = httpx.get(f"{self.url}/batches/{batch}/results").text.splitlines()
        assert len(lines) == ITEMS

    def jobs(self) -> list[dict[str, Any]]:
        return [self._get(f"/jobs/{id}") for id in self.ids]

    def _get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(self.url + path).json()
        return found


class Metrics:
    def __init__(self, url: str) -> None:
        families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
        self.samples = [sample for family in families for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def by(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter()
        for sample in self.samples:
            if sample.name == name and sample.value:
                found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
        return found


def test_the_metrics_are_what_the_client_knows_though_processes_are_killed(deployment: Deployment) -> None:
    client = Client(deployment)
    lost = client.submit(max_new_tokens=LONG // 10)
    wait_until(lambda: deployment.store.get(lost).started_at, "it runs")
    for _ in range(ASYNC):
        client.submit()
    deployment.worker_of(lost).signal(signal.SIGKILL)
    deployment.apis[0].stop(signal.SIGKILL)
    with ThreadPoolExecutor(SYNC) as pool:
        list(pool.map(lambda _: client.submit("/predict"), range(SYNC)))
    client.stream()
    for _ in range(CANCELED):
        id = client.submit(max_new_tokens=LONG)
        httpx.delete(f"{client.url}/jobs/{id}")
    assert client.post("/jobs", max_new_tokens=-1).status_code == 422
    deployment.repair()
    client.submit_batch()
    deployment.wait_idle()

    jobs = client.jobs()
    ends = Counter((job["status"], (job["error"] or {}).get("code", "")) for job in jobs)
    ends["succeeded", ""] += ITEMS
    shown = [Metrics(api.url) for api in deployment.apis]

    assert len(shown) == 2
    for metrics in shown:
        submitted = metrics.by("neoserve_jobs_submitted_total", "mode")
        assert submitted == {
            ("async",): 1 + ASYNC + CANCELED,
            ("sync",): SYNC,
            ("stream",): 1,
            ("batch",): ITEMS,
        }
        assert metrics.by("neoserve_jobs_ended_total", "status", "code") == ends
        assert metrics.total("neoserve_jobs_canceled_total") == CANCELED
        assert metrics.total("neoserve_job_latency_seconds_count") == sum(ends.values()) - CANCELED
        assert metrics.total("neoserve_job_latency_seconds_count", mode="sync") == SYNC
        assert metrics.total("neoserve_job_redeliveries_total", reason="worker_lost") >= 1
        assert metrics.total("neoserve_jobs") == 0
        assert metrics.total("neoserve_job_expired_leases") == 0
        assert metrics.total("neoserve_workers") >= 2
        attempts = sum(job["attempt"] for job in jobs)
        assert metrics.total("neoserve_job_attempts_total", priority="normal") == attempts
        generated = sum(job["usage"]["completion_tokens"] for job in jobs if job["usage"])
        assert metrics.total("neoserve_job_generated_tokens_total") == generated + 5 * ITEMS
