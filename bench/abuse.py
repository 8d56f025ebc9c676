"""Well-behaved clients beside every request of tests/abuse: what they notice of it.

    .venv/bin/python -m bench.abuse [--rounds 3] [--clients 4]

Two API processes, two workers with a scripted model whose steps take 20 ms, a real server. In each round the
good clients ask for texts of two tokens, first alone for as long as they then have the abusive requests,
eight at a time, beside them at the same API process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

from bench.claim_latency import server_version
from bench.machine import describe_machine
from bench.options import positive
from bench.result import Result, Table
from bench.rounds import percentile
from tests.abuse.corpus import corpus
from tests.abuse.exchange import classes, send_all
from tests.abuse.good_traffic import GoodTraffic
from tests.e2e.deployment import Deployment

Round = dict[str, tuple[float, float, float]]
HALVES = ("alone", "beside abuse")


def measured(good: GoodTraffic) -> tuple[float, float, float]:
    """Milliseconds at p50 and p99, and how many were not answered 200."""
    seconds = [1000 * taken for _, taken in good.answers]
    return percentile(seconds, 50), percentile(seconds, 99), sum(status != 200 for status, _ in good.answers)


def one_round(deployment: Deployment, clients: int, seconds: float) -> tuple[Round, float, Counter[str]]:
    api = deployment.apis[0]
    with GoodTraffic(api.url, clients=clients).running() as alone:
        time.sleep(seconds)
    with GoodTraffic(api.url, clients=clients).running() as beside:
        started = time.monotonic()
        replies = send_all(api.port, corpus())
        seconds = time.monotonic() - started
    return {HALVES[0]: measured(alone), HALVES[1]: measured(beside)}, seconds, Counter(classes(replies))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--clients", type=positive, default=4, help="that behave well")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(Path(folder))
        try:
            deployment.start()
            deployment.repair()
            machine = (
                f"{describe_machine('redis', 'flask', 'gunicorn')}  {server_version(deployment.server.url)}"
            )
            print(machine, flush=True)
            rounds, answers, seconds = [], Counter[str](), 5.0
            for _ in range(options.rounds):
                figures, seconds, found = one_round(deployment, options.clients, seconds)
                rounds.append(figures)
                answers += found
        finally:
            deployment.stop()

    def row(half: str) -> list[str]:
        p50, p99, failed = ([each[half][column] for each in rounds] for column in range(3))
        return [half, f"{median(p50):.1f}", f"{median(p99):.1f} ({max(p99):.1f})", f"{sum(failed):.0f}"]

    ratio = median(each[HALVES[1]][1] / each[HALVES[0]][1] for each in rounds)
    note = f"p99 beside abuse / alone: {ratio:.2f}. Answers to abuse: {dict(sorted(answers.items()))}."
    table = Table(
        "Good traffic", ["", "p50, ms", "p99, ms (highest)", "not 200"], list(map(row, HALVES)), note
    )
    result = Result("abuse", machine, [table])
    result.show()
    if options.json:
        result.save(options.json)


if __name__ == "__main__":
    main()
