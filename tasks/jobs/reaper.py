"""Repairs what dead processes leave behind. One runs in every API and worker process; none leads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis

from tasks.jobs.errors import JobsError
from tasks.jobs.protocol import ReapReport
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.ring import Ring
from tasks.jobs.stoppable_thread import StoppableThread
from tasks.jobs.store import JobStore
from tasks.jobs.upkeep import LEASE_SECONDS
from tasks.jobs.uptime import UpTime

logger = logging.getLogger(__name__)

TICK_SECONDS = 2.0

#: Ticks further apart say nothing about the time between them.
MAX_GAP_SECONDS = 5.0

#: All rings of 100,000 jobs are back within five ticks of one reaper.
MAX_RINGS_PER_TICK = 20_000
#: A ring is 1 kB, and the server does nothing else meanwhile.
RINGS_PER_CALL = 500


class Reaper(StoppableThread):
    """Reaps the store every 2 s, and rings for jobs whose ring was lost.

    `clock` gives seconds that only grow.
    """

    def __init__(self, store: JobStore, ring: Ring, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("reaper")
        self._store = store
        self._ring = ring
        self._clock = clock
        self._last_look: float | None = None
        self._run_id = ""
        self._up_since = 0.0
        self._uptime = UpTime()
        self._missing = 0
        self._told_of: set[int] = set()

    def tick(self) -> ReapReport | None:
        """What was reaped; None while it waits. Raises StoreUnavailable."""
        # Unless all of it works, workers may not have been able to renew either: this time does not count.
        before, self._last_look = self._last_look, None
        looked_at = self._look(before)
        self._tell_of_far_versions()
        away = self._time_away()
        report = None if away is None else self._store.reap(away_seconds=away)
        self._repair_rings()
        self._last_look = looked_at
        return report

    def _look(self, before: float | None) -> float:
        """Returns when the server was found to answer. A tick that failed counts as none, so an outage is a
        gap; so is a pause of this process, which cannot tell dead workers from ones that paused with it."""
        self._store.ping()  # A server whose disk is full refuses this and every heartbeat, but not INFO.
        run_id = self._store.server_run_id()
        now = self._clock()
        if run_id == self._run_id and before is not None and now - before <= MAX_GAP_SECONDS:
            self._uptime.add(before, now)
        else:
            self._up_since = now
            self._missing = 0
        self._run_id = run_id
        return now

    def _tell_of_far_versions(self) -> None:
        """Once for each: at the start, or when such a process has begun to write beside this one."""
        for version in self._store.far_versions():
            if version not in self._told_of:
                logger.error(
                    "Schema version %d has written to this database in the last days, and this process has "
                    "version %d: it leaves the jobs and models of version %d as they are. Run a release of a "
                    "version between them as long as there are any.",
                    version,
                    SCHEMA_VERSION,
                    version,
                )
                self._told_of.add(version)

    def _time_away(self) -> float | None:
        """Seconds of outages by which a lease is longer now; None: too little is known of the server.

        A lease runs only while the server is there to renew it. That is counted over all restarts: beginning
        anew with each, jobs of dead workers would wait as long as the server restarts every few seconds. At
        its return workers get a moment in any case: it may have lost its last second, and their renewals.
        """
        if self._clock() - self._up_since < TICK_SECONDS:
            return None
        return self._uptime.away_during(LEASE_SECONDS)

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

    def _settled(self) -> bool:
        """No: every moment counts in which the server is there."""
        return self._uptime.away_during(LEASE_SECONDS) == 0

    def _run(self) -> None:
        reachable = True
        while not self._stopping.wait(TICK_SECONDS if self._settled() else TICK_SECONDS / 4):
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
    if report is not None and report.abandoned:
        logger.info("%d jobs are canceled: their last clients have hung up.", report.abandoned)
    if report is not None and report.restored:
        logger.warning("%d jobs were in no index any more and are back in their places.", report.restored)
