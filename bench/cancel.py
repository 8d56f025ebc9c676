"""How soon a running job that is canceled leaves the engine.

    .venv/bin/python -m bench.cancel [--model 125m] [--others 0,7,31] [--cancels 30]

`POST /jobs`, then `DELETE /jobs/<id>` at a random moment of its generation, while so many *others* generate.
*Answered*: the DELETE has its answer. *Left*: the engine has ended the sequence, by the worker's own clock,
which is the machine's. *Recorded*: a client that waits by `GET /jobs/<id>?wait=10` has the end. All since the
DELETE was sent. Goal: left within 250 ms and two steps of the engine.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.in_process import model_without_end
from bench.machine import describe_machine
from bench.options import positive, several, whole
from bench.result import Result, Table
from bench.rounds import percentile
from bench.stack import ServedStack

PROMPT = "Once upon a time there was a little girl who lived near the sea, and every morning she"
#: Longer than any of them may run.
BODY = json.dumps({"text": PROMPT, "max_new_tokens": 1500})
#: Within so many seconds of its first token a job is canceled.
SPREAD_SECONDS = 0.5


class Client:
    """Calls the API on one connection."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(address)

    def call(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

    def start(self) -> str:
        """A job that runs."""
        job_id = str(self.call("POST", "/jobs", BODY)["id"])
        while self.call("GET", f"/jobs/{job_id}")["status"] == "queued":
            time.sleep(0.01)
        return job_id

    def close(self) -> None:
        self._connection.close()


@contextmanager
def others(client: Client, number: int) -> Iterator[None]:
    jobs = [client.start() for _ in range(number)]
    yield
    for job_id in jobs:
        client.call("DELETE", f"/jobs/{job_id}")


def cancel(client: Client, served: ServedStack) -> tuple[float, float, float]:
    """Answered, left, recorded: milliseconds since the DELETE was sent."""
    job_id = client.start()
    time.sleep(random.uniform(0, SPREAD_SECONDS))
    sent = time.monotonic()
    client.call("DELETE", f"/jobs/{job_id}")
    answered = time.monotonic()
    client.call("GET", f"/jobs/{job_id}?wait=10")
    recorded = time.monotonic()
    left = served.engine_times([job_id])[job_id][3]
    return 1000 * (answered - sent), 1000 * (left - sent), 1000 * (recorded - sent)


def measure(served: ServedStack, num_others: int, cancels: int) -> list[str]:
    client = Client(served.address)
    with others(client, num_others):
        times = [cancel(client, served) for _ in range(cancels)]
    client.close()
    cells = [f"{percentile(each, percent):.1f}" for each in zip(*times, strict=True) for percent in (50, 99)]
    return [str(num_others), *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon a canceled job leaves the engine.")
    parser.add_argument("--model", default="125m", help="a folder, 125m, or scripted:SECONDS")
    parser.add_argument("--others", type=several(whole), default="0,7,31")
    parser.add_argument("--cancels", type=positive, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = describe_machine("redis", "flask", "gunicorn")
    print(machine, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        environ = {
            "NEOSERVE_MODEL": model_without_end(options.model, work / "model"),
            "NEOSERVE_MAX_BATCH_SIZE": str(max(options.others) + 1),
            "NEOSERVE_KV_TOKENS": str(2048 * (max(options.others) + 1)),
        }
        with ServedStack(work, environ).running() as served:
            rows = [measure(served, number, options.cancels) for number in options.others]
    moments = [
        f"{name} {percent}, ms" for name in ("answered", "left", "recorded") for percent in ("p50", "p99")
    ]
    table = Table("Running jobs that are canceled", ["others that generate", *moments], rows)
    result = Result("cancel", machine, [table])
    result.show()
    if options.json:
        result.save(options.json)


if __name__ == "__main__":
    main()
