"""What a call costs with 100 jobs queued and with 100,000, and what a queued job takes in memory.

    .venv/bin/python -m bench.backlog [--queued 100,100000] [--rounds 5] [--calls 200]

A server and an API process for each number; no worker, so the queues stay as long as they are. They take
turns, over HTTP on one connection: submit a job, cancel it, poll it (it has ended), and ask for the position
of a job somewhere in the queue. Medians of all calls; ratios are medians of the rounds'. Memory is the growth
of the server's `used_memory` by filling the queue, rings included, with prompts of 64 bytes; of a few jobs it
holds the server's fixed costs, too.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from bench.machine import describe_machine
from bench.options import positive, several
from bench.result import Result, Table
from bench.rounds import alternate, percentile, ratio
from bench.server import server_binary
from tasks.jobs.connection import connect
from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.integration.api.api_process import ApiProcess
from tests.services import RealServer
from tests.unit.api.fakes import MODEL, register_test_model

CALLS = ("submit", "cancel", "poll", "position")
PROMPT = "Once upon a time there was a little girl who lived by the sea. A"
BODY = json.dumps({"text": PROMPT, "max_new_tokens": 50})
MAX_QUEUED = 10_000_000

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Side:
    """An API whose queue has a certain length."""

    connection: HTTPConnection
    job_ids: list[str]  #: Of the jobs that stay.
    bytes_per_job: float

    def measure(self, num_calls: int) -> Seconds:
        """Of each call."""
        taken: Seconds = {name: [] for name in CALLS}
        for _ in range(num_calls):
            job_id = self._timed(taken["submit"], "POST", "/jobs", BODY)["id"]
            self._timed(taken["cancel"], "DELETE", f"/jobs/{job_id}")
            self._timed(taken["poll"], "GET", f"/jobs/{job_id}")
            queued = self._timed(taken["position"], "GET", f"/jobs/{random.choice(self.job_ids)}")
            if not queued["queue"]["position"]:
                sys.exit("a job has left the queue")
        return taken

    def _timed(self, taken: list[float], method: str, path: str, body: str | None = None) -> dict[str, Any]:
        started = time.perf_counter()
        self.connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        taken.append(time.perf_counter() - started)
        if answer.status not in (200, 202):
            sys.exit(f"{method} {path}: {text.decode()}")
        job: dict[str, Any] = json.loads(text)
        return job


@contextmanager
def side(binary: Path, folder: Path, num_queued: int) -> Iterator[Side]:
    with ExitStack() as ending:
        folder.mkdir()
        server = RealServer(binary, folder, "--appendonly", "no")
        server.start()
        ending.callback(server.stop)
        store = JobStore(ending.enter_context(connect(server.url)))
        register_test_model(store)
        ring = CeleryRing(server.url)
        ending.callback(ring.close)
        before = used_memory(store)
        job_ids = [f"job_{number:032x}" for number in range(num_queued)]
        for job_id in job_ids:
            new = make_new_job(job_id, text=PROMPT, model=MODEL)
            store.submit(new, max_queued=MAX_QUEUED, ring=ring.message(job_id))
        bytes_per_job = (used_memory(store) - before) / num_queued
        api = ApiProcess(server.url, NEOSERVE_MAX_QUEUED=str(MAX_QUEUED), NEOSERVE_LOG_LEVEL="WARNING")
        ending.callback(api.stop)
        api.start()
        connection = HTTPConnection("127.0.0.1", api.port)
        ending.callback(connection.close)
        yield Side(connection, job_ids, bytes_per_job)


def used_memory(store: JobStore) -> int:
    return int(store.client.info("memory")["used_memory"])


def call_table(measured: dict[str, list[Seconds]]) -> Table:
    few = next(iter(measured.values()))
    rows = []
    for name in CALLS:
        for queued, rounds in measured.items():
            every = [seconds for each in rounds for seconds in each[name]]
            medians = [median(each[name]) for each in rounds]
            base = [median(each[name]) for each in few]
            times = [f"{1000 * percentile(every, share):.2f}" for share in (50, 99)]
            rows.append([name, queued, *times, f"{ratio(medians, base):.2f}"])
    return Table("Calls with a queue", ["call", "queued", "p50 ms", "p99 ms", "p50 ratio"], rows)


def bench(binary: Path, folder: Path, options: argparse.Namespace) -> list[Table]:
    with ExitStack() as ending:
        sides = {
            f"{number:,}": ending.enter_context(side(binary, folder / str(number), number))
            for number in options.queued
        }
        contenders = {name: partial(each.measure, options.calls) for name, each in sides.items()}
        for each in contenders.values():
            each()  # The first calls of a process load what the later ones have.
        measured = alternate(contenders, options.rounds, say="backlog")
        memory = [[name, f"{each.bytes_per_job:,.0f}"] for name, each in sides.items()]
    return [call_table(measured), Table("Memory", ["queued", "bytes of each job"], memory)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queued", type=several(positive), default="100,100000")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--calls", type=positive, default=200, help="of each kind, side and round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    binary = server_binary()
    machine = describe_machine("redis", "flask", "gunicorn")
    print(machine, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        result = Result("backlog", machine, bench(binary, Path(folder), options))
    result.publish(options.json)


if __name__ == "__main__":
    main()
