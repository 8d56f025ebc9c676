"""What is logged and counted of a job when it leaves this worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tasks.jobs.log_line import LogLine, about
from tasks.worker.held import Ending, HeldJob
from tasks.worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)


class JobReport:
    """One log line and a few counts per job; neither ever holds a text."""

    def __init__(
        self,
        metrics: WorkerMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._wall_clock = wall_clock

    def settled(self, held: HeldJob) -> None:
        outcome, code = held.result()
        seconds = round(self._clock() - held.claimed_at, 3)
        log.info(
            LogLine(**about(held.job), outcome=outcome, code=code, tokens=held.num_tokens, seconds=seconds)
        )
        self._metrics.jobs.labels(outcome, code).inc()
        self._metrics.tokens_generated.inc(held.num_tokens)
        if held.ending is Ending.LOST:
            self._metrics.stale_writes.inc()
        self._observe_times(held)

    def _observe_times(self, held: HeldJob) -> None:
        started, first = held.started_at, held.first_token_at
        if started is None:
            return
        # By the clock of Redis, while the others are monotonic ones of this machine.
        submitted = held.job.created_at - self._wall_clock() + self._clock()
        self._metrics.queue_seconds.observe(max(0.0, started - submitted))
        self._metrics.generation_seconds.observe(self._clock() - started)
        if first is not None:
            self._metrics.first_token_seconds.observe(max(0.0, first - submitted))
