"""T3: kill -9 at a high rate of claims: a kill may fall between any two commands, and rings die with it."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from random import Random
from time import sleep

from tests.faults.checker import Checker
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack
from tests.faults.store_client import Load, StoreClient

#: At the pace below each worker holds a few jobs at any moment: so few that three kills at random, which
#: would end a job, hardly ever meet the same one.
MODEL = "scripted:0.02"
NUM_TOKENS = 1
NUM_WORKERS = 3
NUM_LOADS = 2
#: 200 kills take more than 100 s: more than 20,000 jobs.
JOBS_PER_SECOND = 100
LOOK_EVERY = 20


def kill_one_of(stack: Stack, chance: Random) -> Counter[str]:
    """The orphans of one kill, at a moment that nobody chose; a new worker takes the place."""
    alive = [worker for worker in stack.workers if worker.process.poll() is None]
    victim = chance.choice(alive)
    sleep(chance.uniform(0, 0.2))
    victim.signal(signal.SIGKILL)
    victim.wait()
    orphans = Counter(stack.held_by(victim).keys())
    stack.start_workers(1)
    return orphans


def run(folder: Path, scale: Scale) -> Findings:
    ledger, explained, chance = Ledger(), Counter[str](), Random(scale.faults)
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL) as stack:
        client, checker = StoreClient(stack.store, stack.ring, ledger), Checker(stack.store, ledger)
        stack.start_workers(NUM_WORKERS)
        loads = [Load(lambda: client.submit(NUM_TOKENS), JOBS_PER_SECOND) for _ in range(NUM_LOADS)]
        with loads[0], loads[1]:
            for number in range(scale.faults):
                explained.update(kill_one_of(stack, chance))
                if number % LOOK_EVERY == LOOK_EVERY - 1:
                    checker.look()
        settled = stack.settled_within(120)
        tally = checker.tally(explained)
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        facts={"orphans": explained.total()},
    )


def control(folder: Path) -> Shown:
    ledger, chance = Ledger(), Random(0)
    with Stack(folder, lease=2, switches=["no-reaper"], NEOSERVE_MODEL=MODEL) as stack:
        client = StoreClient(stack.store, stack.ring, ledger)
        stack.start_workers(NUM_WORKERS)
        with Load(lambda: client.submit(NUM_TOKENS), 4 * JOBS_PER_SECOND):
            for _ in range(10):
                kill_one_of(stack, chance)
        stack.settled_within(8)
        waiting, pending = stack.store.num_queued(), stack.ring.pending()
        lost = Checker(stack.store, ledger).tally().lost
    text = f"without the reaper {lost} of {len(ledger)} lost, {waiting - pending} of them with their ring"
    return Shown(text=text if lost else "")


ROW = Row(name="T3", fault="kill -9 at a high rate of claims", faults=200, run=run, control=control)
