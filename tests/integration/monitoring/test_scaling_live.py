"""KEDA's questions, asked while the real stack is idle, at work, and without Redis."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import yaml

from tests.integration.monitoring.deployed import ROOT, Deployed
from tests.integration.monitoring.test_scaling import triggers
from tests.monitoring import Prometheus
from tests.waiting import wait_until

#: Four texts at a time, 50 tokens a second each.
WORKER = {"NEOSERVE_MODEL": "scripted:0.02", "NEOSERVE_MAX_BATCH_SIZE": "4", "NEOSERVE_GRACE_SECONDS": "1"}


def as_operator(deployed: Deployed) -> Path:
    """A configuration whose targets have the label that the Prometheus Operator gives to them."""
    path = deployed.prometheus_file(yaml.safe_load((ROOT / "prometheus.yml").read_text(encoding="utf-8")))
    configuration = yaml.safe_load(path.read_text(encoding="utf-8"))
    del configuration["rule_files"], configuration["alerting"]
    for scrape in configuration["scrape_configs"]:
        scrape["static_configs"][0]["labels"] = {"namespace": "neoserve"}
    return deployed.written("prometheus.yml", configuration)


class Keda:
    """Asks what its triggers ask."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def answers(self) -> dict[str, float | None]:
        """None: an error, and not a zero."""
        found = {name: self._prometheus.query(each["query"]) for name, each in triggers().items()}
        assert all(len(samples) <= 1 for samples in found.values())
        return {name: float(samples[0]["value"][1]) if samples else None for name, samples in found.items()}


def test_there_is_an_answer_at_rest_and_at_work_and_none_without_redis(tmp_path: Path) -> None:
    with ExitStack() as stack:
        deployed = Deployed(tmp_path)
        deployed.start(stack, **WORKER)
        prometheus = Prometheus(deployed.own_folder("prometheus"), as_operator(deployed))
        prometheus.start()
        stack.callback(prometheus.stop)
        keda = Keda(prometheus)

        wait_until(lambda: keda.answers() == {"drain-time": 0, "running-jobs": 0}, "it rests")
        for number in range(60):
            deployed.fleet.submit(f"job-{number}", num_tokens=50)
        wait_until(lambda: keda.answers()["running-jobs"] == 4, "all slots are taken")
        wait_until(lambda: (keda.answers()["drain-time"] or 0) > 5, "a queue is seen")
        deployed.server.stop()
        nothing = {"drain-time": None, "running-jobs": None}
        wait_until(lambda: keda.answers() == nothing, "nothing is known", seconds=30)
