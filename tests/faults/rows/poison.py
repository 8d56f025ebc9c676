"""T8: jobs that end the process that runs them, among good ones; somebody starts the workers again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.checker import Checker
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack
from tests.faults.store_client import StoreClient
from tests.faults.switches import POISON, POISONS

MODEL = "scripted:0.02"
NUM_TOKENS = 20
GOOD_PER_POISON = 5
NUM_WORKERS = 3
MAX_LOSSES = 3
WATCH_SECONDS = 0.1


@contextmanager
def kept_alive(stack: Stack, number: int) -> Iterator[list[int]]:
    """That many workers, each replaced when it ends; yields the exit status of every one that ended."""
    alive = stack.start_workers(number)
    ended: list[int] = []
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(WATCH_SECONDS):
            for place, worker in enumerate(alive):
                status = worker.process.poll()
                if status is not None:
                    ended.append(status)
                    alive[place] = stack.launch_worker()

    watcher = threading.Thread(target=watch, name="supervisor")
    watcher.start()
    try:
        yield ended
    finally:
        stopped.set()
        watcher.join()


def submit_all(client: StoreClient, num_poisoned: int) -> None:
    kinds = list(POISONS)
    for number in range(num_poisoned):
        kind = kinds[number % len(kinds)]
        client.submit(NUM_TOKENS, prompt=f"{POISON}{kind} number {number}", poisoned=True)
        for _ in range(GOOD_PER_POISON):
            client.submit(NUM_TOKENS)


def run(folder: Path, scale: Scale) -> Findings:
    ledger = Ledger()
    with Stack(folder, lease=scale.lease, switches=["poison"], NEOSERVE_MODEL=MODEL) as stack:
        checker = Checker(stack.store, ledger)
        with kept_alive(stack, NUM_WORKERS) as ended:
            submit_all(StoreClient(stack.store, stack.ring, ledger), scale.faults)
            # Alone, one after the other, each for a lease.
            settled = stack.settled_within(60 + 2 * scale.lease * scale.faults)
        # Neighbours that went down with a poisoned job had to run again.
        tally = checker.tally({each.job_id: stack.store.get(each.job_id).losses for each in ledger.promises})
        losses = {stack.store.get(each.job_id).losses for each in ledger.promises if each.poisoned}
    broken = []
    if tally.poisoned_failed != scale.faults or min(losses) < MAX_LOSSES:
        failed, numbers = tally.poisoned_failed, sorted(losses)
        broken.append(f"{failed} of {scale.faults} poisoned jobs failed; their losses: {numbers}")
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        broken=broken,
        facts={"workers_ended": len(ended)},
    )


def control(folder: Path) -> Shown:
    """A job that has brought down two workers keeps its company, which goes down with it."""
    ledger = Ledger()
    switches = ["poison", "no-solitude"]
    with Stack(folder, lease=2, switches=switches, NEOSERVE_MODEL=MODEL) as stack:
        with kept_alive(stack, 1):
            submit_all(StoreClient(stack.store, stack.ring, ledger), 2)
            stack.settled_within(40)
        lost = Checker(stack.store, ledger).tally().lost
    return Shown(text=f"without solitude {lost} good jobs are lost" if lost else "")


ROW = Row(
    name="T8", fault="jobs that kill their worker, among good ones", faults=40, run=run, control=control
)
