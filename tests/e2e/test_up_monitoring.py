"""`neoserve up --monitoring`: a real Prometheus that sees every process and has our rules."""

from __future__ import annotations

import os
import signal

import httpx
import pytest

from tests.e2e.conftest import SCRIPTED, StartUp
from tests.monitoring import required_program
from tests.services import free_port
from tests.waiting import wait_until


def targets(url: str) -> dict[str, int]:
    """How many of each job answer Prometheus."""
    try:
        answer = httpx.get(f"{url}/api/v1/query", params={"query": "count by (job) (up == 1)"}, timeout=5)
    except httpx.TransportError:
        return {}
    samples = answer.json()["data"]["result"] if answer.status_code == 200 else []
    return {each["metric"]["job"]: int(each["value"][1]) for each in samples}


@pytest.mark.slow
def test_prometheus_sees_every_process_and_is_kept_running(start_up: StartUp) -> None:
    required_program("prometheus")
    ports = {f"NEOSERVE_{part}METRICS_PORT": str(free_port()) for part in ("", "WORKER_")}
    up = start_up("--monitoring", "--workers", 2, "--model", SCRIPTED, **ports)
    up.wait_until_ready()
    url = up.terminal.wait_for(r"Prometheus, with the alerts, on (http://127\.0\.0\.1:\d+)")[1]
    everyone = {"api": 1, "worker": 2, "prometheus": 1}
    wait_until(lambda: targets(url) == everyone, "everything is scraped", seconds=30)
    groups = httpx.get(f"{url}/api/v1/rules", timeout=5).json()["data"]["groups"]
    assert "HighRequestLatency" in {rule["name"] for group in groups for rule in group["rules"]}

    os.kill(up.terminal.pid_of("--config.file=prometheus.json"), signal.SIGKILL)
    up.terminal.wait_for(r"^neoserve +prometheus was ended by SIGKILL; starting it again in .* s$")
    wait_until(lambda: targets(url) == everyone, "everything is scraped again", seconds=30)

    assert up.terminal.end(signal.SIGINT) == 0
    assert "prometheus did not end" not in up.terminal.output()
    up.wait_until_nothing_is_left()
