"""What KEDA asks Prometheus, and how many workers it makes of the answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring import checked, required_program

ROOT = Path(__file__).parents[3]
SCALED = ROOT / "k8s/components/worker-keda/scaled-object.yaml"

#: Of an API process as the Prometheus Operator scrapes it.
PROCESSES = [f'namespace="neoserve", job="api", pod="{pod}", instance="{pod}:9100"' for pod in ("a", "b")]


def triggers() -> dict[str, dict[str, str]]:
    spec = yaml.safe_load(SCALED.read_text(encoding="utf-8"))["spec"]
    return {each["name"]: each["metadata"] for each in spec["triggers"]}


def reported(*series: str, processes: list[str] = PROCESSES) -> dict[str, str]:
    """Series to value, from all processes alike; each of `series` is `name{labels} value`."""
    found = {}
    for each in series:
        name, _, value = each.rpartition(" ")
        for process in processes:
            found[name.replace("{", f"{{{process}, ")] = value
    return found


def assert_answers(series: dict[str, str], answers: dict[str, float | None], folder: Path) -> None:
    """Trigger to what its query says; None: nothing at all, which KEDA takes for an error."""
    case: dict[str, Any] = {
        "interval": "15s",
        "input_series": [{"series": name, "values": f"{value}x4"} for name, value in series.items()],
        "promql_expr_test": [
            {
                "expr": triggers()[name]["query"],
                "eval_time": "1m",
                "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
            }
            for name, value in answers.items()
        ],
    }
    (folder / "tests.yml").write_text(yaml.safe_dump({"tests": [case]}), encoding="utf-8")
    checked(required_program("promtool"), "test", "rules", folder / "tests.yml")


def wanted(answers: dict[str, float]) -> int:
    """As Kubernetes' autoscaler counts them: the most workers that any trigger asks for."""
    return max(math.ceil(value / float(triggers()[name]["threshold"])) for name, value in answers.items())


NORMAL = 'neoserve_jobs{{state="running", priority="normal"}} {}'
LOW = 'neoserve_jobs{{state="running", priority="low"}} {}'
QUEUED = 'neoserve_jobs{{state="queued", priority="normal"}} {}'
IDLE = ["neoserve_workers{} 4", NORMAL.format(0), LOW.format(0), QUEUED.format(0)]
BUSY = ["neoserve_workers{} 4", NORMAL.format(64), LOW.format(0), QUEUED.format(9)]
BATCH = ["neoserve_workers{} 4", NORMAL.format(3), LOW.format(61), QUEUED.format(0)]
WAIT = 'neoserve_queue_estimated_wait_seconds{{priority="{}", fingerprint="f"}} {}'


@pytest.mark.parametrize(
    ("series", "answers", "workers"),
    [
        pytest.param(IDLE, {"drain-time": 0, "running-jobs": 0}, 0, id="nothing-to-do"),
        pytest.param(BUSY, {"drain-time": 0, "running-jobs": 64}, 6, id="every-slot-taken"),
        pytest.param(BATCH, {"drain-time": 0, "running-jobs": 3}, 1, id="every-slot-taken-by-what-may-wait"),
        pytest.param(
            [*BUSY, WAIT.format("normal", 2), WAIT.format("low", 900)],
            {"drain-time": 8, "running-jobs": 64},
            6,
            id="a-short-queue-and-a-long-one-that-may-wait",
        ),
        pytest.param(
            [*BUSY, WAIT.format("normal", 20), WAIT.format("high", 1)],
            {"drain-time": 80, "running-jobs": 64},
            8,
            id="a-queue-twice-too-long",
        ),
    ],
)
def test_as_many_workers_are_wanted_as_drain_the_queue_in_time(
    series: list[str], answers: dict[str, float], workers: int, tmp_path: Path
) -> None:
    assert_answers(reported(*series), dict(answers), tmp_path)
    assert wanted(answers) == workers


def test_without_an_api_process_there_is_no_answer_rather_than_zero(tmp_path: Path) -> None:
    elsewhere = ['namespace="other", job="api", pod="c", instance="c:9100"']
    series = reported(*BUSY, WAIT.format("normal", 20), processes=elsewhere)
    worker = {'neoserve_worker_ready{namespace="neoserve", job="worker", pod="w"}': "1"}
    assert_answers(series | worker, {"drain-time": None, "running-jobs": None}, tmp_path)
    assert {each["ignoreNullValues"] for each in triggers().values()} == {"false"}


def test_prometheus_takes_the_rules_of_the_cluster(tmp_path: Path) -> None:
    made = yaml.safe_load(
        (ROOT / "k8s/components/prometheus-operator/rules.yaml").read_text(encoding="utf-8")
    )
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(made["spec"]), encoding="utf-8")
    checked(
        required_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml"
    )
