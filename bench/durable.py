"""What a submit costs that is answered when its job is on the server's disk.

    .venv/bin/python -m bench.durable [--rounds 5] [--seconds 5] [--clients 1,32]

One server with `appendfsync everysec` and one with `always`, both with an append-only file in the system's
temporary folder. Threads submit as fast as they are answered; no HTTP. Contenders take turns: a plain submit
on either server, and a durable one (WAITAOF) on the second. On the first it would look cheaper than it is:
Valkey 9.1 then says of every write at once that it is on disk. Ratios are medians of the rounds', against
plain submits with everysec. The file system is printed because a disk in memory makes all of it look cheap.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.claim_latency import server_version
from bench.machine import describe_machine
from bench.result import Table
from bench.rounds import alternate, percentile, ratio
from bench.server import server_binary
from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.services import RealServer

POLICIES = ("everysec", "always")
#: Name, `appendfsync`, durable; the first is what the others are compared with.
CONTENDERS = {
    "plain, everysec": ("everysec", False),
    "plain, always": ("always", False),
    "durable, always": ("always", True),
}
MAX_QUEUED = 10_000_000


@dataclass(frozen=True)
class Measured:
    per_second: float
    p50_ms: float
    p99_ms: float


def submit_for(store: JobStore, clients: int, seconds: float) -> Measured:
    """So many threads, each of which submits again when it is answered."""
    store.client.flushall()
    taken: list[float] = []

    def client() -> None:
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            store.submit(make_new_job(), max_queued=MAX_QUEUED)
            taken.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    return Measured(len(taken) / elapsed, percentile(taken, 50) * 1000, percentile(taken, 99) * 1000)


def row(name: str, clients: int, rounds: Sequence[Measured], base: Sequence[Measured]) -> list[str]:
    figures = (
        f"{median(each.per_second for each in rounds):,.0f}",
        f"{median(each.p50_ms for each in rounds):.2f}",
        f"{median(each.p99_ms for each in rounds):.2f}",
        f"{ratio([each.p50_ms for each in rounds], [each.p50_ms for each in base]):.2f}",
    )
    return [name, str(clients), *figures]


def bench(binary: Path, folder: Path, options: argparse.Namespace) -> Table:
    rows = []
    with ExitStack() as ending:
        urls = {policy: start(binary, folder / policy, policy, ending) for policy in POLICIES}
        print(f"{server_version(urls[POLICIES[0]])}, {file_system(folder)}", flush=True)
        for clients in map(int, options.clients.split(",")):
            sides = {}
            for name, (policy, durable) in CONTENDERS.items():
                client = ending.enter_context(connect(urls[policy], max_connections=clients))
                store = JobStore(client, durable=durable)
                sides[name] = partial(submit_for, store, clients, options.seconds)
            measured = alternate(sides, options.rounds, say=f"{clients} clients")
            base = measured[next(iter(CONTENDERS))]
            rows += [row(name, clients, rounds, base) for name, rounds in measured.items()]
    return Table("Submits", ["submit", "clients", "jobs/s", "p50 ms", "p99 ms", "p50 ratio"], rows)


def start(binary: Path, folder: Path, policy: str, ending: ExitStack) -> str:
    """The server's address."""
    folder.mkdir()
    server = RealServer(binary, folder, "--appendonly", "yes", "--appendfsync", policy)
    server.start()
    ending.callback(server.stop)
    return server.url


def file_system(folder: Path) -> str:
    """Where the append-only file lies."""
    found = subprocess.run(
        ["df", "--output=source,fstype", folder], capture_output=True, text=True, check=True
    )
    return " ".join(found.stdout.splitlines()[-1].split())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of each side in each round")
    parser.add_argument("--clients", default="1,32")
    options = parser.parse_args()
    binary = server_binary()
    print(describe_machine("redis", "hiredis"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{bench(binary, Path(folder), options).markdown()}")


if __name__ == "__main__":
    main()
