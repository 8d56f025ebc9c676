"""How far the estimate of a queued job's start is off, under a mixed load.

    .venv/bin/python -m bench.eta [--workers 2] [--slots 4] [--load 1.5] [--mix 8,3,1] [--seconds 60]

Real Valkey, API and workers; the scripted model, whose steps take 20 ms. Jobs of all priorities, so many
high, normal and low ones as `--mix` says, come one by one at random times (Poisson) for `--seconds`, `--load`
times as many as the workers can take, and then the backlog drains. Texts have 20 to 400 tokens; a quarter of
the jobs stops early, at a string, which nothing can know beforehand. Estimates are taken at each submit, and
of a few random waiting jobs each second. Each is compared with the time until that job started: |estimate -
wait| / wait, for waits of at least 5 seconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.machine import describe_machine
from bench.options import positive, several
from bench.result import Result, Table
from bench.rounds import percentile
from bench.server import server_binary
from tasks.jobs.models import Priority
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import Fleet
from tests.services import RealServer

STEP_SECONDS = 0.02
LENGTHS = (20, 50, 100, 200, 400)
#: A quarter of the jobs ends at the first of these letters, of 26 that are equally likely.
STOPS_EARLY, STOP, LETTERS = 0.25, "q", 26
POLLED_EACH_SECOND = 3
MIN_WAIT_SECONDS = 5.0
DRAIN_SECONDS = 300.0


@dataclass(frozen=True)
class Estimate:
    job_id: str
    priority: str
    at: float  #: Unix seconds.
    seconds: float | None


class Load:
    """Submits jobs and notes what is estimated of them."""

    def __init__(self, url: str, mix: list[int], seed: int) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._random = random.Random(seed)
        self._mix = mix
        self.estimates: list[Estimate] = []
        self.waiting: list[str] = []
        self.started_at: dict[str, float] = {}

    def submit(self) -> None:
        drawn = self._random
        body: dict[str, Any] = {
            "text": "Once upon a time",
            "max_new_tokens": drawn.choice(LENGTHS),
            "priority": drawn.choices(list(Priority), self._mix)[0].value,
        }
        if drawn.random() < STOPS_EARLY:
            body["stop"] = STOP
        answer = self._client.post("/jobs", json=body)
        answer.raise_for_status()
        self._note(answer.json())
        self.waiting.append(answer.json()["id"])

    def poll(self) -> None:
        for job_id in self._random.sample(self.waiting, min(POLLED_EACH_SECOND, len(self.waiting))):
            self._note(self._read(job_id))

    def drop_started(self) -> None:
        """Looks at each job that waited."""
        self.waiting = [job_id for job_id in self.waiting if not self._read(job_id)["started_at"]]

    def _read(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self._client.get(f"/jobs/{job_id}").json()
        if job["started_at"]:
            self.started_at[job_id] = datetime.fromisoformat(job["started_at"]).timestamp()
        return job

    def _note(self, job: dict[str, Any]) -> None:
        if job["queue"] and job["queue"]["position"]:
            eta = job["queue"]["eta_s"]
            self.estimates.append(Estimate(job["id"], job["priority"], time.time(), eta))

    def run(self, jobs_per_second: float, seconds: float) -> None:
        """Returns when all jobs have started."""
        begin = time.monotonic()
        next_job, next_poll = 0.0, 1.0
        while (now := time.monotonic() - begin) < seconds or self.waiting:
            if now > seconds + DRAIN_SECONDS:
                sys.exit("the backlog does not drain")
            if next_job <= now:
                self.submit()
                next_job += self._random.expovariate(jobs_per_second) if next_job < seconds else float("inf")
            elif next_poll <= now:
                self.poll()
                next_poll += 1
                if now >= seconds:
                    self.drop_started()
            else:
                time.sleep(max(0.0, min(next_job, next_poll) - (time.monotonic() - begin)))
        self._client.close()


def mean_tokens() -> float:
    """Of a job, with those that stop early."""
    miss = 1 - 1 / LETTERS
    early = [(1 - miss**length) * LETTERS for length in LENGTHS]
    whole = sum(LENGTHS) / len(LENGTHS)
    return STOPS_EARLY * sum(early) / len(early) + (1 - STOPS_EARLY) * whole


def table(estimates: Sequence[Estimate], started_at: Mapping[str, float]) -> Table:
    rows = []
    for name, priorities in {"all": tuple(Priority), **{each.value: (each,) for each in Priority}}.items():
        waits = [
            (started_at[each.job_id] - each.at, each.seconds)
            for each in estimates
            if each.priority in priorities and each.job_id in started_at
        ]
        long = [(wait, seconds) for wait, seconds in waits if wait >= MIN_WAIT_SECONDS]
        errors = [abs(seconds - wait) / wait for wait, seconds in long if seconds is not None]
        if errors:
            shares = [f"{100 * value:.0f} %" for value in (median(errors), percentile(errors, 90))]
            bias = median(seconds / wait for wait, seconds in long if seconds is not None)
            longest = f"{max(wait for wait, _ in long):.0f}"
            rows.append(
                [name, *shares, f"{bias:.2f}", str(len(errors)), str(len(long) - len(errors)), longest]
            )
    columns = [
        "priority",
        "median error",
        "p90",
        "estimate / wait",
        "estimates",
        "without",
        "longest wait, s",
    ]
    return Table("Estimates of waits of 5 seconds and more", columns, rows)


def bench(binary: Path, folder: Path, options: argparse.Namespace) -> Table:
    with ExitStack() as ending:
        server = RealServer(binary, folder, "--appendonly", "no")
        server.start()
        ending.callback(server.stop)
        fleet = Fleet(server.url, folder)
        ending.callback(fleet.close)
        for _ in range(options.workers):
            fleet.start(NEOSERVE_MODEL=f"scripted:{STEP_SECONDS}", NEOSERVE_MAX_BATCH_SIZE=str(options.slots))
        for worker in fleet.workers:
            worker.wait_ready()
        api = ApiProcess(server.url, NEOSERVE_LOG_LEVEL="WARNING")
        ending.callback(api.stop)
        api.start()
        load = Load(api.url, options.mix, options.seed)
        capacity = options.workers * options.slots / STEP_SECONDS / mean_tokens()
        load.run(options.load * capacity, options.seconds)
        return table(load.estimates, load.started_at)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=positive, default=2)
    parser.add_argument("--slots", type=positive, default=4, help="of each worker")
    parser.add_argument("--load", type=float, default=1.5, help="of what the workers can take")
    parser.add_argument("--mix", type=several(positive), default="8,3,1", help="high, normal and low jobs")
    parser.add_argument("--seconds", type=positive, default=60, help="in which jobs come")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    binary = server_binary()
    machine = describe_machine("celery", "redis", "flask")
    print(machine, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = bench(binary, Path(folder), options)
    workers = f"{options.workers} workers of {options.slots} slots"
    mix = " : ".join(map(str, options.mix))
    note = f"{workers}, {options.load:g} times what they can take for {options.seconds} s, {mix}."
    result = Result("eta", machine, [Table(found.title, found.columns, found.rows, note)])
    result.publish(options.json)


if __name__ == "__main__":
    main()
