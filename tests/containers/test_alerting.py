"""From a container that stops to the page in Alertmanager."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
import yaml

from tests.integration.monitoring.watched import hurried
from tests.waiting import wait_until

from .engine import Compose, Engine
from .stacks import get, overridden

FILES = ("prometheus.yml", "alert_rules.yml")
SERVICES = ("api", "worker", "redis", "prometheus", "alertmanager")


@pytest.fixture
def hurried_stack(engine: Engine, tmp_path: Path) -> Iterator[Compose]:
    """With every minute of the rules a second."""
    for name in FILES:
        rules = hurried(name)
        if "global" in rules:
            rules["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
            rules["scrape_configs"] = [
                {name: value for name, value in each.items() if name != "scrape_timeout"}
                for each in rules["scrape_configs"]
            ]
        (tmp_path / name).write_text(yaml.safe_dump(rules))
        (tmp_path / name).chmod(0o644)
    tmp_path.chmod(0o755)
    mounts = [f"{tmp_path / name}:/etc/prometheus/{name}:ro" for name in FILES]
    stack = overridden(engine, tmp_path, prometheus={"volumes": mounts})
    try:
        stack.up(*SERVICES)
        yield stack
    finally:
        stack.down()


def firing(stack: Compose) -> set[str]:
    found = get(stack.engine, "http://127.0.0.1:9093/api/v2/alerts")
    return {each["labels"]["alertname"] for each in found if each["status"]["state"] == "active"}


def test_no_worker_is_a_page_until_there_is_one(hurried_stack: Compose) -> None:
    wait_until(lambda: "Watchdog" in firing(hurried_stack), "alerts arrive", seconds=60)
    assert "NoWorkers" not in firing(hurried_stack)
    hurried_stack("stop", "worker")
    stopped = monotonic()
    wait_until(lambda: "NoWorkers" in firing(hurried_stack), "it is told", seconds=60)
    hurried_stack.engine.figures.append(f"NoWorkers (hurried): {monotonic() - stopped:.1f} s after the stop")
    hurried_stack.up("worker")
    again = monotonic()
    wait_until(lambda: "NoWorkers" not in firing(hurried_stack), "it is over", seconds=90)
    hurried_stack.engine.figures.append(f"and over {monotonic() - again:.1f} s after the worker was back")
