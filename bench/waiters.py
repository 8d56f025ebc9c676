"""A thousand clients that wait for their jobs at one API process: what they cost, and how soon they hear.

    .venv/bin/python -m bench.waiters [--clients 1000] [--singles 100] [--rounds 3]

Real Valkey, the API under gunicorn as in production; instead of workers this process claims the jobs and
records their ends. In each round all clients send `POST /predict?wait=60`; while they wait, one job after the
other ends and its client asks anew (*one*); then all that wait end in one go (*all*), and one more client
than there are seats asks. Times are from before the end is recorded until the client has read its answer, by
the machine's clock. Meanwhile somebody asks for /healthz every 20 ms.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.claim_latency import server_version
from bench.machine import describe_machine
from bench.options import positive
from bench.result import Result, Table
from bench.rounds import percentile
from bench.server import server_binary
from bench.waiting_room import Round, Waiters
from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.services import RealServer
from tests.unit.api.fakes import register_test_model


def table(idle: tuple[float, int], rounds: list[Round], clients: int) -> Table:
    def milliseconds(name: str, percent: int) -> str:
        """The median of the rounds' percentiles, and the highest."""
        found = [1000 * percentile(getattr(each, name), percent) for each in rounds]
        return f"{median(found):.1f} ({max(found):.1f})"

    def health(name: str) -> str:
        """Of all rounds together: the end of all is over after a few probes."""
        seconds = [probe for each in rounds for probe in getattr(each, name)]
        return f"{1000 * percentile(seconds, 99):.1f}"

    megabytes = median(each.megabytes for each in rounds)
    rows = [
        ["memory of the API with nobody, MB", f"{idle[0]:.0f}", ""],
        [f"memory of the API with {clients} waiting, MB", f"{megabytes:.0f}", ""],
        ["of that for each, kB", f"{1000 * (megabytes - idle[0]) / clients:.0f}", ""],
        ["connections to Redis with nobody", f"{idle[1]}", ""],
        [f"connections to Redis with {clients} waiting", f"{max(each.connections for each in rounds)}", ""],
        ["one ends, p50, ms", milliseconds("one", 50), ""],
        ["one ends, p99, ms", milliseconds("one", 99), "≤ 20"],
        ["all end, p50, ms", milliseconds("every", 50), ""],
        ["all end, p99, ms", milliseconds("every", 99), "≤ 1000"],
        ["/healthz while one ends after the other, p99, ms", health("health_one"), "≤ 50"],
        ["/healthz while all end, p99, ms", health("health_all"), "≤ 50"],
        ["one client too many, ms", f"{1000 * median(each.beyond for each in rounds):.1f}", ""],
    ]
    note = f"{len(rounds)} rounds: their median, and the highest in brackets; /healthz over all of them."
    return Table(f"{clients} clients that wait at one API process", ["", "measured", "goal"], rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=positive, default=1000)
    parser.add_argument("--singles", type=positive, default=200, help="ends of one job in each round")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    binary = server_binary()
    with ExitStack() as ending:
        server = RealServer(binary, Path(ending.enter_context(tempfile.TemporaryDirectory())))
        server.start()
        ending.callback(server.stop)
        machine = f"{describe_machine('redis', 'flask', 'gunicorn')}  {server_version(server.url)}"
        print(machine, flush=True)
        store = JobStore(ending.enter_context(connect(server.url, max_connections=1)))
        register_test_model(store)
        api = ApiProcess(server.url, NEOSERVE_MAX_WAITERS=str(options.clients))
        api.start()
        ending.callback(api.stop)
        waiters = Waiters(store, api, options.clients)
        ending.callback(waiters.stop)
        idle = waiters.megabytes(), waiters.connections()
        rounds = [waiters.run(options.singles) for _ in range(options.rounds)]
    result = Result("waiters", machine, [table(idle, rounds, options.clients)])
    result.show()
    if options.json:
        result.save(options.json)


if __name__ == "__main__":
    main()
