"""Whether to try again, and when."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from neoserve.effects import Pause
from neoserve.errors import NeoServeError, Overloaded, Unavailable, Unreachable

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 8.0

#: So much may come on top of a Retry-After: whoever was told the same comes back at different times.
SPREAD = 0.25

#: A job goes on while the API restarts, so whoever waits for one is at least so patient.
FOLLOWER_SECONDS = 60.0


#: Hears of the error and of the seconds before the next try.
Retrying = Callable[[NeoServeError, float], None]


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """`seconds` is how long a call is tried again; `on_retry` hears of each pause. The rest is for tests."""

    seconds: float = 30.0
    on_retry: Retrying | None = None
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class Patience:
    """Of one call: it runs out when nothing has succeeded for so long, or at `end` of the clock."""

    def __init__(self, persistence: Persistence, *, at_least: float = 0.0, end: float = math.inf) -> None:
        self._persistence = persistence
        self._seconds = max(persistence.seconds, at_least)
        self._end = end
        self.restore()

    def restore(self) -> None:
        """Something has succeeded."""
        self._failing_since: float | None = None
        self._failures = 0

    def pause(self, error: NeoServeError) -> Pause:
        """Before the next try. Raises `error` when it is for good, or would not be over in time."""
        if not isinstance(error, Unreachable | Overloaded | Unavailable):
            raise error
        now = self._persistence.clock()
        if self._failing_since is None:
            self._failing_since = now
        seconds = self._next_pause(error)
        if now + seconds > min(self._failing_since + self._seconds, self._end):
            raise error
        self._failures += 1
        if self._persistence.on_retry is not None:
            self._persistence.on_retry(error, seconds)
        return Pause(seconds)

    def _next_pause(self, error: NeoServeError) -> float:
        chance = self._persistence.chance()
        backoff = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10)) * (0.5 + chance / 2)
        return max(backoff, (error.retry_after or 0.0) * (1 + SPREAD * chance))
