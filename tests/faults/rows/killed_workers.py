"""T1: kill -9 of a worker that holds 16 running jobs."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from time import monotonic

from tests.faults.checker import Checker
from tests.faults.eavesdropper import Events
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack, Worker
from tests.faults.store_client import StoreClient
from tests.waiting import wait_until

MODEL = "scripted:0.02"
#: Longer than it takes to fill a worker and to kill it, shorter than a lease.
NUM_TOKENS = 250
SLOTS = 16
AT_ONCE = 4
MAX_RECOVERY_SECONDS = 15.0


def fill(stack: Stack, client: StoreClient, workers: list[Worker]) -> None:
    """Every slot of these workers has a job; whoever else is there gets a share as well."""

    def full() -> bool:
        return all(len(stack.held_by(worker)) == SLOTS for worker in workers)

    def submit_until_full() -> bool:
        if stack.client.zcard("neoserve:queued") < SLOTS and not full():
            client.submit(NUM_TOKENS)
        return full()

    wait_until(submit_until_full, "every worker holds as many jobs as it has slots", seconds=30)


def kill_all(workers: list[Worker], stack: Stack) -> dict[str, int]:
    """The orphans: attempt by job."""
    for worker in workers:
        worker.signal(signal.SIGKILL)
    for worker in workers:
        worker.wait()
    return {job_id: attempt for worker in workers for job_id, attempt in stack.held_by(worker).items()}


def run(folder: Path, scale: Scale) -> Findings:
    ledger, explained = Ledger(), Counter[str]()
    limit = MAX_RECOVERY_SECONDS * scale.lease / 10
    recoveries, injected = [], 0
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL) as stack:
        client, checker = StoreClient(stack.store, stack.ring, ledger), Checker(stack.store, ledger)
        stack.start_workers(2, NEOSERVE_MAX_BATCH_SIZE=str(SLOTS * AT_ONCE))
        with Events(stack.server.url, stack.overheard):
            while injected < scale.faults:
                victims = stack.start_workers(min(AT_ONCE, scale.faults - injected))
                fill(stack, client, victims)
                since = monotonic()
                orphans = kill_all(victims, stack)
                explained.update(orphans.keys())
                injected += len(victims)
                recoveries.append(stack.seconds_until_claimed_again(orphans, since, 4 * limit))
                stack.settled_within(60)
                checker.look()
        tally = checker.tally(explained)
    worst = max(recoveries)
    broken = [f"an orphan waited {worst:.1f} s for its next claim"] if worst > limit else []
    return Findings(faults=injected, tally=tally, leaks=stack.leaks, worst_recovery=worst, broken=broken)


def control(folder: Path) -> Shown:
    ledger = Ledger()
    with Stack(folder, lease=2, switches=["no-reaper"], NEOSERVE_MODEL=MODEL) as stack:
        victims = stack.start_workers(1)
        fill(stack, StoreClient(stack.store, stack.ring, ledger), victims)
        stack.start_workers(1)
        kill_all(victims, stack)
        stack.settled_within(8)
        lost = Checker(stack.store, ledger).tally().lost
    return Shown(text=f"without the reaper {lost} of {len(ledger)} are lost" if lost else "")


ROW = Row(name="T1", fault="kill -9 of a worker that holds 16 jobs", faults=20, run=run, control=control)
