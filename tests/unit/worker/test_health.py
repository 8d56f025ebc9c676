from __future__ import annotations

import time
from pathlib import Path

import pytest

from tasks.worker.gate import Gate
from tasks.worker.health import Health
from tasks.worker.health_file import MAX_AGE_SECONDS, VARIABLE, HealthFile
from tasks.worker.metrics import WorkerMetrics
from tests.probe import is_live, is_ready, refusal


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
    assert not is_live(published.path)
    published.health.publish(alive=True)
    assert is_live(published.path)
    assert not is_ready(published.path)
    published.health.become_ready()
    assert is_ready(published.path)
    assert published.metric("ready") == 1
    assert abs(published.metric("live_timestamp_seconds") - time.time()) < 60


def test_a_worker_that_drains_is_live_but_not_ready(published: Published) -> None:
    published.health.become_ready()
    published.gate.close()
    published.health.publish(alive=True)
    assert is_live(published.path)
    assert not is_ready(published.path)
    assert published.metric("ready") == 0


def test_nobody_renews_the_file_of_a_worker_that_is_not_live(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = time.time() - MAX_AGE_SECONDS - 2
    with monkeypatch.context() as past:
        past.setattr(time, "time", lambda: long_ago)
        published.health.become_ready()
    published.health.publish(alive=False)
    assert not is_live(published.path)
    assert not is_ready(published.path)
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


@pytest.mark.parametrize(
    "content", ["", "ready", "ready \n", "ready soon\n", "ready a[0$(exit)]\n", "ready 0\n"]
)
def test_a_file_without_a_second_that_is_to_come_tells_of_no_worker(
    content: str, published: Published
) -> None:
    published.path.write_text(content)
    assert refusal("live", published.path) == "the worker is not live"
    assert refusal("ready", published.path) == "the worker is not ready"


def test_the_probe_says_how_to_use_it_and_what_is_missing(published: Published) -> None:
    assert "usage" in (refusal("alive", published.path) or "")
    assert VARIABLE in (refusal("live", "") or "")
