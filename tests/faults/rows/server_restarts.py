"""T2: the server is restarted under load and comes back with its file; every worker goes on.

In order, by SIGTERM: killed, it may come back without its last second, which `appendfsync everysec` allows.
"""

from __future__ import annotations

import signal
from pathlib import Path
from time import monotonic, sleep

from tests.faults.checker import Checker
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack, Worker
from tests.faults.store_client import Load, StoreClient

MODEL = "scripted:0.02"
NUM_TOKENS = 20
NUM_WORKERS = 3
MAX_RECOVERY_SECONDS = 10.0
JOBS_PER_SECOND = 20
#: How long the server is away; one is longer than a lease.
OUTAGES = (0.0, 0.5, 1.0, 12.0, 0.2)


def seconds_until_all_claim(workers: list[Worker], since: float, patience: float) -> float:
    """Until each has claimed a job after `since`; `patience` where one does not."""
    while True:
        latest = [max((seconds for seconds, *_ in worker.claims()), default=0.0) for worker in workers]
        if all(seconds > since for seconds in latest):
            first = [min(seconds for seconds, *_ in worker.claims() if seconds > since) for worker in workers]
            return max(first) - since
        if monotonic() - since > patience:
            return patience
        sleep(0.05)


def restart(stack: Stack, outage_seconds: float) -> float:
    """When it answers again, by the monotonic clock."""
    stack.server.shut_down()
    sleep(outage_seconds)
    stack.server.start()
    return monotonic()


def run(folder: Path, scale: Scale) -> Findings:
    ledger, recoveries = Ledger(), []
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL) as stack:
        client, checker = StoreClient(stack.store, stack.ring, ledger), Checker(stack.store, ledger)
        workers = stack.start_workers(NUM_WORKERS)
        with Load(lambda: client.submit(NUM_TOKENS), per_second=JOBS_PER_SECOND):
            for number in range(scale.faults):
                outage = OUTAGES[number % len(OUTAGES)] * scale.lease / 10
                answers = restart(stack, outage)
                recoveries.append(seconds_until_all_claim(workers, answers, 4 * MAX_RECOVERY_SECONDS))
                checker.look()
        settled = stack.settled_within(60)
        tally = checker.tally()
    broken = []
    if max(recoveries) > MAX_RECOVERY_SECONDS:
        broken.append(f"a worker claimed only {max(recoveries):.1f} s after the server answered")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        worst_recovery=max(recoveries),
        broken=broken,
    )


def control(folder: Path) -> Shown:
    """Once without the file, once with a reaper that does not wait after an outage."""
    ledger = Ledger()
    with Stack(folder / "file", lease=2, options=("--appendonly", "no"), NEOSERVE_MODEL=MODEL) as stack:
        client = StoreClient(stack.store, stack.ring, ledger)
        stack.start_workers(1)
        for _ in range(JOBS_PER_SECOND):
            client.submit(NUM_TOKENS)
        restart(stack, 0)
        stack.settled_within(5)
        lost = Checker(stack.store, ledger).tally().lost
    needless = _needless_without_patience(folder / "patience")
    shown = lost and needless
    text = f"without AOF {lost} of {len(ledger)} lost; impatient reaper: {needless} needless reruns"
    return Shown(text=text if shown else "")


def _needless_without_patience(folder: Path) -> int:
    ledger = Ledger()
    with Stack(folder, lease=2, switches=["no-patience"], NEOSERVE_MODEL=MODEL) as stack:
        client = StoreClient(stack.store, stack.ring, ledger)
        (worker,) = stack.start_workers(1)
        for _ in range(8):
            client.submit(400)
        while len(stack.held_by(worker)) < 8:
            sleep(0.05)
        stack.start_workers(2)
        # Away for longer than a lease: at its return every lease is over, and the reapers ask within 0.4 s
        # while the holder is made to come later.
        worker.signal(signal.SIGSTOP)
        restart(stack, 3)
        sleep(1)
        worker.signal(signal.SIGCONT)
        stack.settled_within(30)
        return Checker(stack.store, ledger).tally().needless


ROW = Row(name="T2", fault="restart of the server under load", faults=50, run=run, control=control)
