"""A server that restarts every few seconds, sooner than a lease: it keeps no orphan waiting for ever."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from tests.factories import make_new_job, make_parameters
from tests.faults.rows.server_restarts import restart
from tests.faults.stack import Stack

LEASE_SECONDS = 3.0
UP_SECONDS = 2.0
MAX_RESTARTS = 12


def test_an_orphan_is_claimed_and_a_healthy_worker_keeps_its_job(tmp_path: Path) -> None:
    with Stack(tmp_path / "stack", lease=LEASE_SECONDS, NEOSERVE_MODEL="scripted:0.02") as stack:
        for job_id in ("orphan", "healthy"):
            parameters = make_parameters(max_new_tokens=2000)
            job = make_new_job(job_id, fingerprint="scripted", parameters=parameters)
            stack.store.submit(job, max_queued=2, ring=stack.ring.message(job_id))
        dead = stack.store.claim_next("dead", "scripted", "nonce", lease_seconds=LEASE_SECONDS)
        assert dead is not None
        assert dead.job.id == "orphan"
        (worker,) = stack.start_workers(1)
        for _ in range(MAX_RESTARTS):
            restart(stack, 0.3)
            if stack.seconds_until_claimed_again({"orphan": 1}, monotonic(), UP_SECONDS) < UP_SECONDS:
                break
        assert stack.held_by(worker) == {"orphan": 2, "healthy": 1}
        assert stack.store.get("orphan").losses == 1
