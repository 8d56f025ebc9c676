"""Repairs what dead processes leave behind. One runs in every API and worker process; none leads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import redis

from tasks.jobs.errors import JobsError
from tasks.jobs.protocol import ReapReport
from tasks.jobs.record import SCHEMA_VERSION
from tasks.jobs.ring import Ring
from tasks.jobs.store import LEASE_SECONDS, JobStore

logger = logging.getLogger(__name__)

TICK_SECONDS = 2.0

#: After a longer pause between its ticks it cannot tell dead workers from ones that paused with it.
MAX_GAP_SECONDS = 5.0

#: A healthy backlog must not become a flood of rings.
MAX_RINGS_PER_TICK = 200


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
        self._deficit = 0
        self._told_of: set[int] = set()
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
        """What was reaped; None while it waits. Raises StoreUnavailable or RingFailed."""
        self._watch_for_outage()
        self._tell_of_far_versions()
        report = self._store.reap() if self._clock() >= self._not_before else None
        self._last_tick = self._clock()
        self._repair_rings(report.num_queued if report else self._store.num_queued())
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
            self._deficit = 0
        self._run_id = run_id

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

    def _repair_rings(self, num_queued: int) -> None:
        """A ring that is missing at two ticks in a row is lost, not merely on its way."""
        before, self._deficit = self._deficit, max(0, num_queued - self._ring.pending())
        missing = min(before, self._deficit, MAX_RINGS_PER_TICK)
        if missing:
            for job_id in self._store.oldest_queued(missing):
                self._ring.ring(job_id)

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
