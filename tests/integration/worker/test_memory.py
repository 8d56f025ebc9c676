"""A real worker that runs out of memory, as the kernel's files tell it."""

from __future__ import annotations

from pathlib import Path

from tests.fake_system import FakeSystem
from tests.integration.worker.processes import FRAGILE_APP, SYSTEM, Fleet


def test_a_worker_that_is_nearly_out_of_memory_drains_and_loses_nothing(fleet: Fleet, tmp_path: Path) -> None:
    system = FakeSystem(tmp_path)
    system.belongs_to("0::/")
    system.v2(used=900, limit=1000, cached=300)
    settings = {SYSTEM: str(tmp_path), "NEOSERVE_MODEL": "scripted:0.05", "NEOSERVE_GRACE_SECONDS": "2"}
    worker = fleet.start_ready(app=FRAGILE_APP, **settings)
    fleet.submit("j", num_tokens=1500)
    fleet.wait_status("j", "running")
    system.v2(used=1000, limit=1000, cached=30)
    assert worker.wait() == 0
    assert "97 % of the cgroup's limit" in worker.err
    assert worker.ended_jobs() == {"j": "handed_back"}
    fleet.start_ready()
    assert fleet.wait_status("j", "succeeded").losses == 0
