"""What a Celery task that does nothing takes, for comparison: `send_task` until its result is there.

`celery -A bench.bare_celery worker` is its worker, with Celery's own threads pool and result store.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from celery import Celery

QUEUE = "bench-bare"

app = Celery("bare", broker=os.environ.get("REDIS_URL"), backend=os.environ.get("REDIS_URL"))
app.conf.task_default_queue = QUEUE


@app.task(name="bench.echo", shared=False)  # type: ignore[untyped-decorator]
def echo(word: str) -> str:
    return word


def round_trips(redis_url: str, number: int, between: Callable[[], object] = lambda: None) -> list[float]:
    """Seconds of so many tasks, one after the other; `between` is called before each."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "-A",
        "bench.bare_celery",
        "worker",
        "-P",
        "threads",
    ]
    with subprocess.Popen(
        [*command, "--without-gossip", "--without-mingle"],
        env={**os.environ, "REDIS_URL": redis_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as worker:
        try:
            app.conf.update(broker_url=redis_url, result_backend=redis_url)
            seconds = []
            for _ in range(number + 1):
                between()
                seconds.append(round_trip())
        finally:
            worker.terminate()
    return seconds[1:]  # The first one waits for the worker to start.


def round_trip() -> float:
    started = time.monotonic()
    app.send_task("bench.echo", ["word"], queue=QUEUE).get(timeout=60)
    return time.monotonic() - started
