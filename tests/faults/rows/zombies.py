"""T5: workers that pause for longer than their lease and come back, and late messages of theirs.

A worker that was stopped finds out with its next heartbeat. What it had sent before may arrive late as well:
half of the zombies are cut off by a proxy, which holds what they say until others have run their jobs.
"""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

from tests.faults.checker import Checker
from tests.faults.ledger import Ledger
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack, Worker
from tests.faults.store_client import StoreClient
from tests.proxy import Proxy
from tests.waiting import wait_until

MODEL = "scripted:0.02"
SLOTS = 8
#: Some end while the worker is away, some are in the middle.
NUM_TOKENS = (40, 100, 160, 220, 280, 340, 400, 460)
AT_ONCE = 4
MAX_RECOVERY_SECONDS = 15.0


class Zombie:
    """A worker on its way out of the world and back."""

    def __init__(self, stack: Stack, *, paused: bool, ending: ExitStack) -> None:
        self._paused = paused
        self._proxy = ending.enter_context(Proxy(stack.server.url))
        self.worker: Worker = stack.launch_worker(url=self._proxy.url, NEOSERVE_MAX_BATCH_SIZE=str(SLOTS))
        self.held: dict[str, int] = {}

    def leave(self, stack: Stack) -> None:
        if self._paused:
            self.worker.signal(signal.SIGSTOP)
        else:
            self._proxy.hold(to_server=True, to_client=True)
        self.held = stack.held_by(self.worker)

    def come_back(self) -> None:
        if self._paused:
            self.worker.signal(signal.SIGCONT)
        else:
            self._proxy.release()

    def has_given_up(self) -> bool:
        ends = self.worker.ended_jobs()
        return all(job_id in ends for job_id in self.held)

    def num_refused(self) -> int:
        ends = self.worker.ended_jobs()
        return sum(ends.get(job_id) == "lost" for job_id in self.held)


class Haunting:
    """Rounds of zombies on one stack."""

    def __init__(self, stack: Stack) -> None:
        self.ledger = Ledger()
        self.checker = Checker(stack.store, self.ledger)
        self.explained: Counter[str] = Counter()
        self.unrefused = 0  #: Jobs of zombies that did not learn that they had lost them.
        self.refused = 0
        self._stack = stack
        self._client = StoreClient(stack.store, stack.ring, self.ledger)

    def round(self, number: int, patience: float) -> float:
        """That many, which come back when others hold their jobs; how many seconds that took."""
        with ExitStack() as ending:
            zombies = [Zombie(self._stack, paused=bool(place % 2), ending=ending) for place in range(number)]
            for zombie in zombies:
                zombie.worker.wait_ready()
            for num_tokens in NUM_TOKENS * number:
                self._client.submit(num_tokens)
            wait_until(lambda: not self._stack.store.num_queued(), "they have all jobs")
            since = monotonic()
            for zombie in zombies:
                zombie.leave(self._stack)
            (heir,) = self._stack.start_workers(1, NEOSERVE_MAX_BATCH_SIZE="64")
            orphans = {job_id: attempt for each in zombies for job_id, attempt in each.held.items()}
            self.explained.update(orphans.keys())
            seconds = self._stack.seconds_until_claimed_again(orphans, since, patience)
            for zombie in zombies:
                zombie.come_back()
            self._stack.settled_within(60)
            for zombie in zombies:
                with suppress(AssertionError):
                    wait_until(zombie.has_given_up, "it learns that it has lost its jobs", seconds=20)
                self.refused += zombie.num_refused()
                self.unrefused += len(zombie.held) - zombie.num_refused()
                zombie.worker.stop()
            heir.stop()
            self.checker.look()
            return seconds


def run(folder: Path, scale: Scale) -> Findings:
    limit = MAX_RECOVERY_SECONDS * scale.lease / 10
    recoveries, injected = [0.0], 0
    with Stack(folder, lease=scale.lease, NEOSERVE_MODEL=MODEL) as stack:
        haunting = Haunting(stack)
        stack.start_api()  # For its reaper: one that has just begun would wait for a lease of its own.
        while injected < scale.faults:
            number = min(AT_ONCE, scale.faults - injected)
            recoveries.append(haunting.round(number, 4 * limit))
            injected += number
        tally = haunting.checker.tally(haunting.explained)
    broken = []
    if haunting.unrefused or not haunting.refused:
        broken.append(f"{haunting.unrefused} jobs were not refused to their zombie")
    if not tally.stale:
        broken.append("no late result was refused: the row tested too little")
    if max(recoveries) > limit:
        broken.append(f"an orphan waited {max(recoveries):.1f} s for its next claim")
    return Findings(
        faults=injected,
        tally=tally,
        leaks=stack.leaks,
        worst_recovery=max(recoveries),
        broken=broken,
        facts={"refused_jobs": haunting.refused},
    )


def control(folder: Path) -> Shown:
    """A record that takes the word of every attempt."""
    with Stack(folder, lease=2, switches=["no-fence"], NEOSERVE_MODEL=MODEL) as stack:
        haunting = Haunting(stack)
        haunting.round(2, 10)
        tally = haunting.checker.tally()
    wrong = tally.doubled
    return Shown(text=f"without the fence {wrong} of {tally.accepted} told or ended twice" if wrong else "")


ROW = Row(
    name="T5", fault="worker away longer than its lease, then back", faults=20, run=run, control=control
)
