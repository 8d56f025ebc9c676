"""T4: SIGTERM to a worker under load, with jobs that end in time and jobs that do not."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from tests.faults.checker import Checker
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack, Worker
from tests.faults.store_client import Load, StoreClient
from tests.waiting import wait_until

MODEL = "scripted:0.02"
GRACE_SECONDS = 6.0
#: Of 0.02 s each: the long ones outlast the grace period, from wherever it begins.
SHORT_TOKENS, LONG_TOKENS = 20, 400
JOBS_OF_A_KIND = 8
SLOTS = 16
MAX_RESTART_SECONDS = 5.0


def submit_mixture(client: StoreClient) -> None:
    for _ in range(JOBS_OF_A_KIND):
        client.submit(SHORT_TOKENS)
        client.submit(LONG_TOKENS)


def wait_full(stack: Stack, worker: Worker) -> None:
    wait_until(lambda: len(stack.held_by(worker)) == SLOTS, "the worker has a job in every slot", seconds=30)


def drain(stack: Stack, worker: Worker) -> tuple[float, int]:
    """Seconds that it took to leave, and its exit status."""
    began = monotonic()
    worker.signal(signal.SIGTERM)
    status = worker.wait(60)
    return monotonic() - began, status


def all_over(stack: Stack, job_ids: Sequence[str]) -> bool:
    return all(stack.store.get(job_id).status.terminal for job_id in job_ids)


def run(folder: Path, scale: Scale) -> Findings:
    ledger, explained, broken = Ledger(), Counter[str](), set[str]()
    worst_exit = worst_restart = 0.0
    grace = str(GRACE_SECONDS)
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL, NEOSERVE_GRACE_SECONDS=grace) as stack:
        client, checker = StoreClient(stack.store, stack.ring, ledger), Checker(stack.store, ledger)
        with Load(lambda: client.submit(SHORT_TOKENS), per_second=5):
            (worker,) = stack.start_workers(1)
            for _ in range(scale.faults):
                submit_mixture(client)
                wait_full(stack, worker)
                seconds, status = drain(stack, worker)
                worst_exit = max(worst_exit, seconds)
                if status != 0 or seconds > GRACE_SECONDS + 0.5:
                    broken.add(f"a worker left with status {status} after {seconds:.1f} s")
                back = [job for job, end in worker.ended_jobs().items() if end == "handed_back"]
                explained.update(back)
                attempts = {job_id: stack.store.get(job_id).attempt for job_id in back}
                positions = [stack.store.get(job_id).position or 10**6 for job_id in back]
                if sorted(positions) != list(range(1, len(back) + 1)):
                    broken.add(f"what was handed back stood at {sorted(positions)}, not first in line")
                (worker,) = stack.start_workers(1)
                restart = stack.seconds_until_claimed_again(attempts, monotonic(), 30)
                worst_restart = max(worst_restart, restart)
                wait_until(partial(all_over, stack, back), "what was handed back is finished", seconds=60)
        settled = stack.settled_within(120)
        tally = checker.tally(explained)
    if worst_restart > MAX_RESTART_SECONDS:
        broken.add(f"a job that was handed back waited {worst_restart:.1f} s for a ready worker")
    if tally.losses:
        broken.add(f"{tally.losses} losses were counted")
    if not explained:
        broken.add("no job was handed back")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        worst_recovery=worst_restart,
        broken=broken,
        facts={"worst_exit_seconds": worst_exit, "handed_back": explained.total()},
    )


def control(folder: Path) -> Shown:
    """SIGKILL in its place, and no reaper: nobody hands back what the worker held."""
    ledger = Ledger()
    with Stack(folder, lease=2, switches=["no-reaper"], NEOSERVE_MODEL=MODEL) as stack:
        (worker,) = stack.start_workers(1)
        submit_mixture(StoreClient(stack.store, stack.ring, ledger))
        wait_full(stack, worker)
        worker.signal(signal.SIGKILL)
        worker.wait()
        stack.start_workers(1)
        stack.settled_within(8)
        lost = Checker(stack.store, ledger).tally().lost
    return Shown(text=f"killed instead, without the reaper: {lost} of {len(ledger)} lost" if lost else "")


ROW = Row(name="T4", fault="SIGTERM of a full worker under load", faults=20, run=run, control=control)
