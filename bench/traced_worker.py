"""`celery -A bench.traced_worker worker`: the worker as it is, which also writes when its engine had a job.

A line of the file BENCH_TRACE: job, submitted to the engine, got a slot, first token, done, recorded. Seconds
of the machine's monotonic clock, which every process of one machine shares.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tasks.worker.app import app
from tasks.worker.held import HeldJob
from tasks.worker.report import JobReport

__all__ = ["app"]

trace = Path(os.environ["BENCH_TRACE"]).open("a", buffering=1)  # noqa: SIM115 as long as the process
settled = JobReport.settled


def traced(self: JobReport, held: HeldJob) -> None:
    settled(self, held)
    one = held.generations[0]
    times = (one.submitted_at, one.started_at, one.first_token_at, one.finished_at, time.monotonic())
    trace.write(f"{held.job.id} {' '.join(map(str, times))}\n")


JobReport.settled = traced  # type: ignore[method-assign]
