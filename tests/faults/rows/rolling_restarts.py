"""T4b: all processes are replaced, one after another, by those of the next version, and back, under load.

First comes the successor, then the SIGTERM, as in Kubernetes. The balancer learns of no drain: it finds out
when a process refuses the connection.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import monotonic

from tests.faults.balanced_client import BalancedClient
from tests.faults.checker import Checker, Tally
from tests.faults.http_client import Callers
from tests.faults.ledger import Ledger
from tests.faults.next_version import FIELD, NEXT_VERSION, VALUE
from tests.faults.row import Findings, Row, Scale, Shown
from tests.faults.stack import Api, Stack, Worker
from tests.faults.switches import VARIABLE
from tests.waiting import wait_until

MODEL = "scripted:0.02"
GRACE_SECONDS = "4"
#: Of 0.02 s each: the long ones outlast the grace period.
SHORT_TOKENS, LONG_TOKENS = 20, 220
SHORT_CALLERS, LONG_CALLERS = 8, 4
WAIT_SECONDS = 20.0
NUM_OF_A_KIND = 2
THIS_VERSION = NEXT_VERSION - 1


class Deployment:
    """Two API processes and two workers, each of this version or of the next."""

    def __init__(self, stack: Stack, signal_number: signal.Signals, *switches: str) -> None:
        self._stack = stack
        self._signal = signal_number
        self._switches = {
            THIS_VERSION: [f"lease={stack.lease}", *switches],
            NEXT_VERSION: [f"lease={stack.lease}", "next-version"],
        }
        self.worker_versions: list[tuple[Worker, int]] = []
        self.broken: set[str] = set()
        self._leaving: Worker | None = None
        self._workers = [self._launch_worker(THIS_VERSION) for _ in range(NUM_OF_A_KIND)]
        self._apis = [self._start_api(THIS_VERSION) for _ in range(NUM_OF_A_KIND)]
        for worker in self._workers:
            worker.wait_ready()
        self.urls = [api.url for api in self._apis]

    def replace_api(self, place: int, version: int) -> None:
        old, new = self._apis[place], self._start_api(version)
        self.urls = [*self.urls, new.url]
        if self._end(old) != 0:
            self.broken.add("an API process did not leave with status 0")
        self.urls = [url for url in self.urls if url != old.url]
        self._apis[place] = new

    def replace_worker(self, place: int, version: int) -> None:
        old, new = self._workers[place], self._launch_worker(version)
        new.wait_ready()
        self.wait_for_workers()
        wait_until(lambda: self._has_begun_a_long_job(old), "it will have to hand something back", seconds=60)
        old.signal(self._signal)
        self._workers[place], self._leaving = new, old

    def wait_for_workers(self) -> None:
        """One drains at a time, and meanwhile API processes are replaced. How it leaves is T4's matter."""
        if self._leaving is not None:
            self._leaving.wait()

    def _has_begun_a_long_job(self, worker: Worker) -> bool:
        recent = [job_id for seconds, job_id, _ in worker.claims() if monotonic() - seconds < 0.5]
        jobs = map(self._stack.store.get, recent)
        return any(job.parameters.max_new_tokens == LONG_TOKENS for job in jobs)

    def _end(self, api: Api) -> int:
        if self._signal is signal.SIGTERM:
            return api.stop()
        api.kill()
        return api.process.returncode

    def _launch_worker(self, version: int) -> Worker:
        worker = self._stack.launch_worker(**self._settings(version))
        self.worker_versions.append((worker, version))
        return worker

    def _start_api(self, version: int) -> Api:
        return self._stack.start_api(NEOSERVE_PORT="0", **self._settings(version))

    def _settings(self, version: int) -> dict[str, str]:
        return {VARIABLE: ",".join(self._switches[version])}


def replacements(number: int) -> Iterator[tuple[str, int, int]]:
    """Kind, place, version: out to the next version, as far as half of them reach, and back; repeatedly."""
    ways = [(kind, place) for place in range(NUM_OF_A_KIND) for kind in ("api", "worker")][: number // 2]
    there_and_back = [(*way, version) for version in (NEXT_VERSION, THIS_VERSION) for way in ways]
    return islice(cycle(there_and_back), number)


class Rollout:
    """A run of replacements under load, and what the records say after it."""

    def __init__(self, stack: Stack, deployment: Deployment) -> None:
        self.ledger = Ledger()
        self.checker = Checker(stack.store, self.ledger)
        self._stack = stack
        self._deployment = deployment
        self.clients = [
            BalancedClient(self.ledger, stack.overheard, lambda: deployment.urls) for _ in range(2)
        ]

    def run(self, number: int) -> None:
        short, long = self.clients
        with (
            Callers(short, SHORT_CALLERS, SHORT_TOKENS, wait=WAIT_SECONDS),
            Callers(long, LONG_CALLERS, LONG_TOKENS, wait=WAIT_SECONDS),
        ):
            for kind, place, version in replacements(number):
                busy = len(self.ledger) + SHORT_CALLERS
                wait_until(partial(self._has_grown, busy), "calls are answered", seconds=60)
                if kind == "api":
                    self._deployment.replace_api(place, version)
                else:
                    self._deployment.replace_worker(place, version)
                self.checker.look()
            self._deployment.wait_for_workers()

    def _has_grown(self, beyond: int) -> bool:
        return len(self.ledger) > beyond

    def handed_back(self) -> Counter[str]:
        return Counter(
            job_id
            for worker, _ in self._deployment.worker_versions
            for job_id, end in worker.ended_jobs().items()
            if end == "handed_back"
        )

    def crossings(self) -> Counter[tuple[int, int]]:
        """Claims by the version of the record and that of the worker."""
        schemas = {job_id: schema for job_id, schema, _ in self._records()}
        return Counter(
            (schemas[job_id], version)
            for worker, version in self._deployment.worker_versions
            for _, job_id, _ in worker.claims()
            if job_id in schemas
        )

    def num_dropped(self) -> int:
        """Records of the next version that have lost what only it knows."""
        return sum(schema == NEXT_VERSION and value != VALUE for _, schema, value in self._records())

    def _records(self) -> Iterator[tuple[str, int, object]]:
        for promise in self.ledger.promises:
            schema, value = self._stack.client.hmget(f"neoserve:job:{promise.job_id}", "schema", FIELD)
            if schema is not None:
                yield promise.job_id, int(schema), None if value is None else str(value)


def broken_promises(rollout: Rollout, deployment: Deployment, tally: Tally) -> Iterator[str]:
    yield from deployment.broken
    for client in rollout.clients:
        yield from client.wrong
    if tally.losses:
        yield f"{tally.losses} losses were counted"
    if dropped := rollout.num_dropped():
        yield f"{dropped} records lost what their version knows"
    if not rollout.handed_back():
        yield "no job was handed back: the row tested too little"
    if not sum(client.num_handed_over for client in rollout.clients):
        yield "no waiting call was handed over: the row tested too little"
    crossings = rollout.crossings()
    if not crossings[THIS_VERSION, NEXT_VERSION] or not crossings[NEXT_VERSION, THIS_VERSION]:
        yield "no job was run by another version than its own: the row tested too little"


def run(folder: Path, scale: Scale) -> Findings:
    with Stack(
        folder, lease=scale.lease, NEOSERVE_MODEL=MODEL, NEOSERVE_GRACE_SECONDS=GRACE_SECONDS
    ) as stack:
        deployment = Deployment(stack, signal.SIGTERM)
        rollout = Rollout(stack, deployment)
        rollout.run(scale.faults)
        settled = stack.settled_within(60)
        tally = rollout.checker.tally(rollout.handed_back())
        broken = list(broken_promises(rollout, deployment, tally))
        crossings = rollout.crossings()
        facts: dict[str, float] = {
            "handed_over": sum(client.num_handed_over for client in rollout.clients),
            "handed_back": rollout.handed_back().total(),
            "refused_connections": sum(client.num_refused for client in rollout.clients),
            "run_by_the_next_version": crossings[THIS_VERSION, NEXT_VERSION],
            "run_by_the_version_before": crossings[NEXT_VERSION, THIS_VERSION],
        }
    return Findings(
        faults=scale.faults,
        tally=tally,
        settled=settled,
        leaks=stack.leaks,
        broken=broken,
        facts=facts,
    )


def control(folder: Path) -> Shown:
    """SIGKILL in place of SIGTERM, and an older version that forgets what it does not know."""
    with Stack(folder, lease=2, NEOSERVE_MODEL=MODEL) as stack:
        rollout = Rollout(stack, Deployment(stack, signal.SIGKILL, "drop-unknown"))
        rollout.run(4)
        stack.settled_within(30)
        dropped, cut = rollout.num_dropped(), sum(client.num_cut for client in rollout.clients)
        losses = rollout.checker.tally().losses
    shown = f"killed instead: {cut} calls cut off, {losses} losses; {dropped} records lost a field they had"
    return Shown(text=shown if cut and losses and dropped else "")


ROW = Row(
    name="T4b",
    fault="rolling restart to the next version and back",
    faults=40,
    run=run,
    control=control,
)
