from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.worker import probe
from tasks.worker.gate import Gate
from tasks.worker.health import Health
from tasks.worker.health_file import MAX_AGE_SECONDS, VARIABLE, HealthFile
from tasks.worker.metrics import WorkerMetrics


class Published:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = HealthFile(path)
        self.metrics = WorkerMetrics()
        self.gate = Gate()
        self.health = Health(self.file, self.metrics, self.gate)

    def metric(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"neoserve_worker_{name}") or 0.0


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path / "health")


def test_a_warm_worker_is_live_before_it_is_ready(published: Published) -> None:
    assert not published.file.live()
    published.health.publish(alive=True)
    assert published.file.live()
    assert not published.file.ready()
    published.health.become_ready()
    assert published.file.ready()
    assert published.metric("ready") == 1
    assert abs(published.metric("live_timestamp_seconds") - time.time()) < 60


def test_a_worker_that_drains_is_live_but_not_ready(published: Published) -> None:
    published.health.become_ready()
    published.gate.close()
    published.health.publish(alive=True)
    assert published.file.live()
    assert not published.file.ready()
    assert published.metric("ready") == 0


def test_nobody_renews_the_file_of_a_worker_that_is_not_live(published: Published) -> None:
    published.health.become_ready()
    old = time.time() - MAX_AGE_SECONDS - 1
    os.utime(published.path, (old, old))
    published.health.publish(alive=False)
    assert not published.file.live()
    assert not published.file.ready()
    assert published.metric("ready") == 0


def test_a_worker_that_ends_leaves_no_file(published: Published) -> None:
    published.health.become_ready()
    published.health.vanish()
    published.health.vanish()
    assert not published.path.exists()


def test_a_folder_that_is_missing_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    published = Published(tmp_path / "missing" / "health")
    for _ in range(3):
        published.health.publish(alive=True)
    assert caplog.text.count(f"{VARIABLE} cannot be written") == 1


@pytest.mark.parametrize(("question", "ready", "answer"), [
    ("live", False, None),
    ("ready", False, "the worker is not ready"),
    ("ready", True, None),
])  # fmt: skip
def test_the_probe_answers(
    question: str, ready: bool, answer: str | None, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(published.path))
    assert probe.main([question]) == f"the worker is not {question}"
    published.file.write(ready=ready)
    assert probe.main([question]) == answer


def test_the_probe_says_how_to_use_it_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "usage" in (probe.main(["alive"]) or "")
    assert VARIABLE in (probe.main(["live"]) or "")


def test_the_probe_imports_next_to_nothing() -> None:
    code = "import sys, tasks.worker.probe; print({'celery', 'redis', 'torch'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"
