"""Keys that somebody else has overwritten: the worker lives, names them, and goes on once they are mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.worker.health_file import VARIABLE
from tests.integration.worker.processes import FRAGILE_APP, Fleet
from tests.waiting import wait_until

INDEXES = ("due", "index", "leases", "queued", "registered", "seen", "workers", "cards")
OF_THE_MODEL = (
    "queue:scripted:normal",
    "turns:scripted:normal",
    "waiting:scripted:normal",
    "served:scripted",
    "passes:scripted",
)


def test_a_worker_outlives_every_key_of_another_type_and_runs_what_was_waiting(fleet: Fleet) -> None:
    worker = fleet.start_ready()
    for name in INDEXES + OF_THE_MODEL:
        key = f"neoserve:{name}"
        told = f"{key} is a string and should be a"
        fleet.submit(f"before {name}", rings=0)
        fleet.client.set(key, "garbage")
        fleet.ring.ring("anybody")  # Of some keys only a claim takes notice.
        wait_until(lambda told=told: told in worker.err, f"{key} is named")
        fleet.client.delete(key)
        fleet.submit(f"after {name}")
        assert fleet.wait_status(f"after {name}", "succeeded").attempt == 1
        assert worker.process.poll() is None
    for name in INDEXES + OF_THE_MODEL:
        fleet.wait_status(f"before {name}", "succeeded")
    assert "Traceback" not in worker.err
    # By the writer, by the reaper and by who claimed, however often each of them was refused.
    assert all(worker.err.count(f"neoserve:{name} is a string") <= 3 for name in INDEXES)


def test_a_list_of_rings_that_is_none_ends_no_worker(fleet: Fleet) -> None:
    worker = fleet.start_ready()
    fleet.client.set(fleet.ring.list, "garbage")
    wait_until(lambda: "generate is a string and should be a list" in worker.err, "it is named")
    fleet.client.delete(fleet.ring.list)
    fleet.submit("j")
    fleet.wait_status("j", "succeeded")
    assert "Traceback" not in worker.err


@pytest.mark.slow
@pytest.mark.parametrize("key", ["neoserve:leases", "neoserve:served:scripted", "generate"])
def test_a_broken_key_is_no_reason_to_restart_a_worker(fleet: Fleet, tmp_path: Path, key: str) -> None:
    file = tmp_path / "health"
    worker = fleet.start_ready(app=FRAGILE_APP, **{VARIABLE: str(file)})
    fleet.submit("waits", rings=0)
    fleet.client.set(key, "garbage")
    if key != fleet.ring.list:
        fleet.ring.ring("waits")
    for _ in range(8):  # Its patience ends after four.
        before = file.stat().st_mtime
        wait_until(lambda before=before: file.stat().st_mtime > before, "the file is renewed")
    assert "not live" not in worker.err
    fleet.client.delete(key)
    fleet.wait_status("waits", "succeeded")


def test_a_worker_that_starts_on_a_broken_key_says_what_it_waits_for(fleet: Fleet) -> None:
    fleet.client.set("neoserve:seen", "garbage")
    worker = fleet.start()
    wait_until(lambda: "neoserve:seen is a string and should be a zset" in worker.err, "named", seconds=30)
    fleet.client.delete("neoserve:seen")
    worker.wait_ready()
