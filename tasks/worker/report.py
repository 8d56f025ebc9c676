"""What is logged and counted of a job when it leaves this worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tasks.jobs.log_line import LogLine, about
from tasks.worker.held import HeldJob
from tasks.worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)


class JobReport:
    """One log line and one count per job; neither ever holds a text. Redis counts the rest."""

    def __init__(
        self,
        metrics: WorkerMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._clock = clock

    def settled(self, held: HeldJob) -> None:
        outcome, code = held.result()
        seconds = round(self._clock() - held.claimed_at, 3)
        log.info(
            LogLine(**about(held.job), outcome=outcome, code=code, tokens=held.num_tokens, seconds=seconds)
        )
        self._metrics.jobs.labels(outcome, code).inc()
