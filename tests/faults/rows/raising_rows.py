"""T12: one row of a batch of 16 makes a step raise, at its first token or a later one."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import httpx

from tasks.jobs.models import JobStatus
from tests.faults.canaries import PROMPT
from tests.faults.checker import Checker, read_stream
from tests.faults.eavesdropper import Events
from tests.faults.ledger import Ledger, Promise
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Stack, Worker
from tests.faults.store_client import StoreClient
from tests.faults.switches import RAISING
from tests.waiting import wait_until

MODEL = "scripted:0.02"
SLOTS = 16
#: Long enough for all to be there when the last one raises.
NUM_TOKENS = 30
#: Before which token it raises, in turn.
PLACES = (0, 1, 5)
#: A machine that stalls may let a round end before it is full; such a round does not count.
MAX_ROUNDS_PER_FAULT = 2
SECONDS = 30


class Rounds:
    """Of 15 good jobs and one that raises, on one worker."""

    def __init__(self, stack: Stack) -> None:
        self.ledger = Ledger()
        self.broken: set[str] = set()
        self.raising: list[str] = []
        self._stack = stack
        self._client = StoreClient(stack.store, stack.ring, self.ledger)
        (self.worker,) = stack.start_workers(1, NEOSERVE_MAX_BATCH_SIZE=str(SLOTS))
        stack.start_api()

    def run(self) -> int:
        """How many rows the step had that raised."""
        good = [self._client.submit(NUM_TOKENS) for _ in range(SLOTS - 1)]
        wait_until(lambda: self._running(good), "the good ones run", seconds=SECONDS)
        before = len(batches(self.worker))
        job_id = self._submit_raising()
        wait_until(lambda: len(batches(self.worker)) > before, "a step has failed", seconds=SECONDS)
        self.raising.append(job_id)
        self._stack.settled_within(SECONDS)
        return batches(self.worker)[before]

    def check_raising(self) -> None:
        """Each failed once, at its only attempt, and said so."""
        for job_id in self.raising:
            job = self._stack.store.get(job_id)
            code = job.error.code if job.error else None
            if (job.status, code, job.attempt) != (JobStatus.FAILED, "generation_failed", 1):
                self.broken.add(f"a row that raised was {job.status}, {code}, attempt {job.attempt}")
            ends = [event for event in read_stream(self._stack.store, job_id) if event["event"] == "done"]
            logged = len(re.findall(rf"job_id={job_id} attempt=1 .*outcome=failed", self.worker.err))
            if len(ends) != 1 or logged != 1:
                self.broken.add(f"a row that raised ended {len(ends)} times, and {logged} times in the log")

    def _running(self, job_ids: list[str]) -> bool:
        return all(self._stack.store.get(job_id).status is not JobStatus.QUEUED for job_id in job_ids)

    def _submit_raising(self) -> str:
        """Through the API, to hear what a client is told."""
        number = len(self.raising)
        prompt = f"{RAISING}{PLACES[number % len(PLACES)]} number {number} {PROMPT}"
        body = {"text": prompt, "max_new_tokens": NUM_TOKENS, "seed": number}
        answer = httpx.post(f"{self._stack.api_url}/predict?wait=20", json=body, timeout=SECONDS)
        self._stack.overheard.add_error(answer.text)
        told = answer.json()
        if (answer.status_code, told.get("code")) != (500, "generation_failed"):
            self.broken.add(f"the client of a row that raised was told {answer.status_code}")
        job_id = str(told.get("job", told)["id"])
        self.ledger.accepted(
            Promise(job_id=job_id, prompt=prompt, num_tokens=NUM_TOKENS, seed=number, poisoned=True)
        )
        return job_id


def batches(worker: Worker) -> list[int]:
    """Rows of each step that raised and was repeated."""
    return [
        int(number) for number in re.findall(r"a step with (\d+) rows failed", worker.err) if number != "1"
    ]


def run(folder: Path, scale: Scale) -> Findings:
    full = 0
    with Stack(folder, lease=scale.lease, switches=["raising"], NEOSERVE_MODEL=MODEL) as stack:
        rounds = Rounds(stack)
        checker = Checker(stack.store, rounds.ledger)
        with Events(stack.server.url, stack.overheard):
            for number in count(1):
                full += rounds.run() == SLOTS
                checker.look()
                if full == scale.faults or number == MAX_ROUNDS_PER_FAULT * scale.faults:
                    break
        rounds.check_raising()
        tally = checker.tally()
        same = rounds.worker.process.poll() is None
    broken = rounds.broken
    if full < scale.faults:
        broken.add(f"only {full} steps of {SLOTS} rows raised: the row tested too little")
    if not same:
        broken.add("the process ended")
    return Findings(
        faults=full,
        tally=tally,
        leaks=stack.leaks,
        broken=broken,
        facts={"rounds": len(rounds.raising)},
    )


def control(folder: Path) -> Shown:
    """A step that raises ends all its rows."""
    switches = ["raising", "no-row-by-row"]
    with Stack(folder, lease=2, switches=switches, NEOSERVE_MODEL=MODEL) as stack:
        rounds = Rounds(stack)
        for _ in range(3):
            rounds.run()
        tally = Checker(stack.store, rounds.ledger).tally()
    neighbours = tally.accepted - len(rounds.raising)
    lost = tally.lost
    return Shown(text=f"without running rows alone {lost} of {neighbours} neighbours lost" if lost else "")


ROW = Row(name="T12", fault="a row that raises in a batch of 16", faults=100, run=run, control=control)
