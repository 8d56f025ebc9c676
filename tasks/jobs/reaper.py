"""Repairs what dead processes leave behind. One runs in every API and worker process; none leads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import redis

from tasks.jobs.errors import JobsError
from tasks.jobs.protocol import ReapReport
from tasks.jobs.ring import Ring
from tasks.jobs.store import LEASE_SECONDS, JobStore

logger = logging.getLogger(__name__)

TICK_SECONDS = 2.0

#: After a longer pause between its ticks it cannot tell dead workers from ones that paused with it.
MAX_GAP_SECONDS = 5.0

#: All rings of 100,000 jobs are back within five ticks of one reaper.
MAX_RINGS_PER_TICK = 20_000
#: A ring is 1 kB, and the server does nothing else meanwhile.
RINGS_PER_CALL = 500


class Reaper:
    """Reaps the store every 2 s, and rings for jobs whose ring was lost.

    `clock` gives seconds that only grow.
    """

    def __init__(self, store: JobStore, ring: Ring, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._last_tick: float | None = None
        self._run_id = ""
        self._not_before = 0.0
        self._missing = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the tick under way is over; more than once is fine."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def tick(self) -> ReapReport | None:
        """What was reaped; None while it waits. Raises StoreUnavailable."""
        self._watch_for_outage()
        report = self._store.reap() if self._clock() >= self._not_before else None
        self._last_tick = self._clock()
        self._repair_rings()
        return report

    def _watch_for_outage(self) -> None:
        """An outage, or a pause of this process, may have kept healthy workers from renewing: they get a
        full lease to come back. A tick that failed counts as none, so an outage is a gap."""
        self._store.ping()  # A server whose disk is full refuses this and every heartbeat, but not INFO.
        run_id = self._store.server_run_id()
        now = self._clock()
        gap = self._last_tick is None or now - self._last_tick > MAX_GAP_SECONDS
        if gap or run_id != self._run_id:
            self._not_before = now + LEASE_SECONDS
            self._missing = 0
        self._run_id = run_id

    def _repair_rings(self) -> None:
        """A ring that is missing at two ticks in a row is lost, not merely heard a moment ago."""
        before, self._missing = self._missing, self._store.ring_for_waiting(self._ring.list)
        lost = min(before, self._missing, MAX_RINGS_PER_TICK)
        if not lost:
            return
        rings = [self._ring.message(job_id).entry for job_id in self._store.oldest_queued(lost)]
        for first in range(0, len(rings), RINGS_PER_CALL):
            self._store.ring_for_waiting(self._ring.list, rings[first : first + RINGS_PER_CALL])
        self._missing -= len(rings)

    def _run(self) -> None:
        reachable = True
        while not self._stopped.wait(TICK_SECONDS):
            try:
                report = self.tick()
            except (JobsError, redis.RedisError) as error:
                if reachable:
                    logger.warning("Waiting for Redis: %s", error)
                reachable = False
            else:
                if not reachable:
                    logger.info("Redis answers again.")
                reachable = True
                _log(report)


def _log(report: ReapReport | None) -> None:
    if report is not None and (report.requeued or report.worker_lost):
        logger.warning(
            "%d jobs of lost workers are queued again, %d have failed.", report.requeued, report.worker_lost
        )
    if report is not None and report.restored:
        logger.warning("%d jobs were in no index any more and are back in their places.", report.restored)
