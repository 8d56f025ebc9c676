"""How long a freed slot of a worker waits for its next claim, with the wake-up and without.

    .venv/bin/python -m bench.claim_latency [--rounds 3] [--jobs 200] [--control-jobs 12]

Real Valkey, real `celery worker`, one slot, Celery events off, the scripted model. Two workers take turns:
the product's, and a control that differs only in the pool (Celery's own, which wakes nobody). A time is from
the end of a task's own work to the begin of the next one's, both taken in the worker. Exits with 1 when the
product's 99th percentile is above 50 ms, or when the control shows no need for the wake-up.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from typing import Any

from celery import Celery
from celery.concurrency.thread import TaskPool

from bench.machine import describe_machine
from bench.options import positive
from bench.server import server_binary
from tasks.jobs.connection import connect
from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tasks.worker.app import make_celery
from tasks.worker.generate import JobRunner
from tasks.worker.settings import WorkerSettings
from tasks.worker.wakeup import WakingThreadPool
from tests.factories import make_new_job, make_parameters
from tests.services import RealServer

TARGET_SECONDS = 0.050
CONTROL_SECONDS = 0.5
MARK = "task"


class SilentPool(WakingThreadPool):
    """The control: a task ends as it does in Celery's own pool."""

    on_apply = TaskPool.on_apply


def __getattr__(name: str) -> Any:
    """`celery -A bench.claim_latency:waking worker`, or `:control`."""
    if name in ("waking", "control"):
        return timed_app(name)
    raise AttributeError(name)


def timed_app(name: str) -> Celery:
    """The worker as it is, which also writes the begin and end of every task to stdout."""
    run_next = JobRunner.run_next

    def timed(self: JobRunner, rung_by: str) -> None:
        begin = time.monotonic()
        run_next(self, rung_by)
        sys.stdout.write(f"{MARK} {begin} {time.monotonic()}\n")

    JobRunner.run_next = timed  # type: ignore[method-assign]
    app = make_celery(WorkerSettings.from_env(os.environ))
    if name == "control":
        app.conf.worker_pool = "bench.claim_latency:SilentPool"
    return app


@contextmanager
def worker(name: str, url: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    settings = {
        "REDIS_URL": url,
        "NEOSERVE_MODEL": "scripted",
        "NEOSERVE_MAX_BATCH_SIZE": "1",
        "NEOSERVE_WORKER_METRICS_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "celery", "-A", f"bench.claim_latency:{name}", "worker"]
    with log.open("a") as stderr:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    try:
        read_until(process, "worker ready")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def read_until(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return line
    raise RuntimeError("the worker has ended")


def measure(name: str, url: str, num_jobs: int, log: Path) -> list[float]:
    """Seconds from each freed slot to the next claim while work waits."""
    with worker(name, url, log) as process, connect(url) as client:
        store, ring = JobStore(client), CeleryRing(url)
        for _ in range(num_jobs):
            job = make_new_job(
                fingerprint="scripted", parameters=make_parameters(max_new_tokens=5), num_prompt_tokens=16
            )
            store.submit(job, max_queued=num_jobs)
            ring.ring(job.id)
        times = [[float(part) for part in read_until(process, MARK).split()[1:]] for _ in range(num_jobs)]
        ring.close()
    return [begin - end for (_, end), (begin, _) in pairwise(times)]


def describe(name: str, seconds: list[float]) -> str:
    percentiles = quantiles(seconds, n=100, method="inclusive")
    shown = {"p50": percentiles[49], "p99": percentiles[98], "max": max(seconds)}
    times = "  ".join(f"{label}={value * 1000:7.1f} ms" for label, value in shown.items())
    return f"{name:8} n={len(seconds):4}  {times}"


def server_version(url: str) -> str:
    with connect(url, max_connections=1) as client:
        server = client.info("server")
    return f"{server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Free slot to next claim, with and without the wake-up.")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--jobs", type=positive, default=200, help="per round with the wake-up")
    parser.add_argument(
        "--control-jobs", type=positive, default=12, help="per round without: about a second each"
    )
    options = parser.parse_args()
    binary = server_binary()
    with tempfile.TemporaryDirectory() as folder:
        server = RealServer(binary, Path(folder))
        server.start()
        try:
            return compare(server.url, options, Path(folder) / "workers.log")
        finally:
            server.stop()


def compare(url: str, options: argparse.Namespace, log: Path) -> int:
    print(f"{describe_machine('celery', 'kombu', 'redis')}  {server_version(url)}")
    seconds: dict[str, list[float]] = {"control": [], "waking": []}
    for number in range(1, options.rounds + 1):
        for name, num_jobs in (("control", options.control_jobs), ("waking", options.jobs)):
            latest = measure(name, url, num_jobs, log)
            seconds[name] += latest
            print(f"round {number}  {describe(name, latest)}", flush=True)
    for name, every in seconds.items():
        print(f"all      {describe(name, every)}")
    good = quantiles(seconds["waking"], n=100, method="inclusive")[98] <= TARGET_SECONDS
    needed = quantiles(seconds["control"], n=2, method="inclusive")[0] >= CONTROL_SECONDS
    print(f"p99 <= {TARGET_SECONDS * 1000:.0f} ms: {good}; the control idles: {needed}")
    return 0 if good and needed else 1


if __name__ == "__main__":
    sys.exit(main())
