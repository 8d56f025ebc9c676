"""`celery -A tests.faults.worker worker`: the worker as it is, which also writes down its id and its claims.

FAULTS_TRACE names the file: `worker ID`, then a line `claim SECONDS JOB ATTEMPT` for each, by the machine's
monotonic clock, which every process of one machine shares.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.faults.switches import apply_switches

apply_switches()  # Before the application is made of what they change.

from tasks.jobs.protocol import Claim  # noqa: E402
from tasks.jobs.store import JobStore  # noqa: E402
from tasks.worker.app import app  # noqa: E402
from tasks.worker.parts import Parts  # noqa: E402

__all__ = ["app"]

trace = Path(os.environ["FAULTS_TRACE"]).open("a", buffering=1)  # noqa: SIM115 as long as the process
make_parts, claim_next = Parts.__init__, JobStore.claim_next


def traced_parts(self: Parts, *arguments: Any, **options: Any) -> None:
    make_parts(self, *arguments, **options)
    trace.write(f"worker {self.worker}\n")


def traced_claim(self: JobStore, *arguments: Any, **options: Any) -> Claim | None:
    claim = claim_next(self, *arguments, **options)
    if claim is not None:
        trace.write(f"claim {time.monotonic()} {claim.job.id} {claim.attempt}\n")
    return claim


Parts.__init__ = traced_parts  # type: ignore[method-assign]
JobStore.claim_next = traced_claim  # type: ignore[method-assign]
