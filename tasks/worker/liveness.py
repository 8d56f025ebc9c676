"""Whether this worker makes progress, not merely whether it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from redis import RedisError

from tasks.jobs.errors import StoreUnavailable
from tasks.worker.standstill import Standstill

#: So long may nothing move that ought to. Celery tries to connect again every 30 s at the rarest.
LIMIT_SECONDS = 60.0

#: Redis is asked for waiting jobs when no ring was heard for so long.
QUIET_SECONDS = 10.0


class Signs(Protocol):
    """What liveness is judged by; every number grows with what it counts."""

    @property
    def excused(self) -> bool:
        """Redis is away, or the worker drains: nothing needs to move."""

    @property
    def num_ticks(self) -> int:
        """Of the timer in Celery's event loop."""

    @property
    def num_exchanges(self) -> int:
        """Of the writer with Redis: they renew the leases."""

    @property
    def num_entered(self) -> int:
        """Rings that were heard."""

    @property
    def full(self) -> bool:
        """No further job can be taken now."""

    def jobs_wait(self) -> bool:
        """For this worker's model. Raises StoreUnavailable or RedisError."""


class Liveness:
    """Alive is: the event loop ticks, leases are renewed, and where jobs wait and slots are free, rings are
    heard."""

    def __init__(self, signs: Signs, say: Callable[[str], None]) -> None:
        self._signs = signs
        self._say = say
        self._loop, self._leases, self._rings = Standstill(), Standstill(), Standstill()
        self._alive = True

    def look(self, seconds: float) -> bool:
        """Be called now and then; the last time was so many `seconds` ago."""
        reason = self._standing_still(seconds)
        if self._alive and reason:
            self._say(f"not live: {reason} for {LIMIT_SECONDS:.0f} s")
        elif not self._alive and not reason:
            self._say("live again")
        self._alive = not reason
        return self._alive

    def _standing_still(self, seconds: float) -> str:
        signs = self._signs
        if signs.excused:
            for each in (self._loop, self._leases, self._rings):
                each.reset()
            return ""
        if self._loop.look(signs.num_ticks, seconds) >= LIMIT_SECONDS:
            return "Celery's event loop has not ticked"
        if self._leases.look(signs.num_exchanges, seconds) >= LIMIT_SECONDS:
            return "no lease was renewed"
        quiet = self._rings.look(signs.num_entered, seconds)
        if quiet >= QUIET_SECONDS and (signs.full or not self._jobs_wait()):
            self._rings.reset()
            return ""
        return "jobs wait and no ring was heard" if quiet >= LIMIT_SECONDS else ""

    def _jobs_wait(self) -> bool:
        try:
            return self._signs.jobs_wait()
        except (StoreUnavailable, RedisError):  # Also what somebody else wrote there.
            return False
