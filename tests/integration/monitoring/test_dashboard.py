"""Every query of the dashboard, asked of a real Prometheus that has watched the real stack at work."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from time import time
from typing import Any

import httpx
import pytest
import yaml

from tests import dashboard
from tests.integration.monitoring.deployed import ROOT, Deployed
from tests.monitoring import Prometheus
from tests.waiting import wait_until

#: Four texts at a time, 50 tokens a second each; what is held at the end is handed back.
WORKER = {
    "NEOSERVE_MODEL": "scripted:0.02",
    "NEOSERVE_MAX_BATCH_SIZE": "4",
    "NEOSERVE_GRACE_SECONDS": "2",
}

#: What stays 0 while all is well; `reused`: the test double has nothing to reuse.
MAY_BE_ZERO = {
    ("Failures", "jobs failed"),
    ("Leases", "run out"),
    ("Stale writes", "{{write}}"),
    ("Prefill and decode", "reused"),
}


class Users:
    def __init__(self, api: str) -> None:
        self._client = httpx.Client(base_url=api, timeout=60)

    def post(self, path: str, num_tokens: int = 10, accept: str = "*/*", **fields: Any) -> httpx.Response:
        body = {"text": "Once upon a time", "max_new_tokens": num_tokens, **fields}
        return self._client.post(path, json=body, headers={"Accept": accept})

    def ask_for_everything(self, num_jobs: int) -> None:
        """Calls of each kind; so many jobs of each priority that nobody waits for."""
        late = self.post("/predict", num_tokens=500, deadline_s=0.5)
        assert late.status_code == 504
        assert self.post("/jobs", num_tokens=-1).status_code == 422
        for priority in ("high", "normal", "low"):
            for _ in range(num_jobs):
                assert self.post("/jobs", num_tokens=20, priority=priority).status_code == 202
        canceled = self.post("/jobs", num_tokens=500).json()["id"]
        assert self._client.delete(f"/jobs/{canceled}").is_success
        batch = self._client.post("/batches", json={"requests": [{"text": "Once", "max_new_tokens": 5}] * 3})
        assert batch.status_code == 202
        assert self.post("/predict", priority="high").status_code == 200
        assert "event: done" in self.post("/predict", accept="text/event-stream", priority="high").text

    def ask_for_a_long_text(self) -> str:
        id: str = self.post("/jobs", num_tokens=200, priority="high").json()["id"]
        return id

    def close(self) -> None:
        self._client.close()


class Seen:
    """A Prometheus that watches the stack, and since when."""

    def __init__(self, deployed: Deployed, prometheus: Prometheus) -> None:
        self._deployed = deployed
        self._prometheus = prometheus
        self._since = time()

    def graph(self, query: str) -> list[dict[str, Any]]:
        return self._prometheus.query_range(query.replace("$__rate_interval", "5s"), self._since)

    def highest(self, query: str) -> float:
        """Below 0 where there is no value that can be drawn."""
        values = (float(value) for series in self.graph(query) for _, value in series["values"])
        return max(filter(math.isfinite, values), default=-1)

    def wait_idle(self) -> None:
        """Until all jobs have ended, and Prometheus has seen that."""
        keys = "neoserve:queued", "neoserve:leases"
        wait_until(lambda: not self._deployed.fleet.client.exists(*keys), "no job is left", seconds=60)
        wait_until(lambda: self._prometheus.query("sum(neoserve_jobs) == 0"), "it was scraped")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with ExitStack() as stack:
        deployed = Deployed(tmp_path_factory.mktemp("deployed"))
        configuration = yaml.safe_load((ROOT / "prometheus.yml").read_text(encoding="utf-8"))
        del configuration["rule_files"], configuration["alerting"]
        prometheus = Prometheus(deployed.own_folder("prometheus"), deployed.prometheus_file(configuration))
        prometheus.start()
        stack.callback(prometheus.stop)
        deployed.start(stack, **WORKER)
        users = Users(deployed.api.url)
        stack.callback(users.close)
        seen = Seen(deployed, prometheus)
        users.ask_for_everything(num_jobs=1)
        # A series that begins with its first event has no rate before its second.
        seen.wait_idle()
        users.ask_for_everything(num_jobs=10)
        deployed.fleet.wait_status(users.ask_for_a_long_text(), "running")
        deployed.worker.signal(signal.SIGTERM)
        deployed.worker.wait()
        deployed.start_worker(**WORKER)
        seen.wait_idle()
        yield seen


every_query = pytest.mark.parametrize(
    ("panel", "legend", "query"), dashboard.queries(), ids=lambda value: value if len(value) < 40 else ""
)


@every_query
def test_a_query_returns_data(seen: Seen, panel: str, legend: str, query: str) -> None:
    zero = 0 if (panel, legend) in MAY_BE_ZERO else 1e-9
    wait_until(lambda: seen.highest(query) >= zero, f"{query} has data")


@every_query
def test_a_legend_tells_the_series_apart(seen: Seen, panel: str, legend: str, query: str) -> None:
    shown = re.findall(r"{{(\w+)}}", legend)
    names = [tuple(series["metric"].get(label) for label in shown) for series in seen.graph(query)]
    assert all(all(name) for name in names)
    assert len(set(names)) == len(names)
