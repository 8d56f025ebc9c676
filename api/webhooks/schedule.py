"""When a delivery is tried again: for about a day, ever more rarely."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

#: Behind the first attempt, the second and so on.
DELAYS_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)

MAX_ATTEMPTS = len(DELAYS_SECONDS) + 1

#: Each delay is up to this much shorter, so that what failed together does not come back together.
JITTER = 0.1

#: Longer than that no receiver can put anybody off.
MAX_RETRY_AFTER_SECONDS = 28800.0


def seconds_until_next(
    attempt: int, retry_after: str | None = None, draw: Callable[[], float] = random.random
) -> float | None:
    """After attempt number `attempt` (1 is the first); None when it was the last.

    `retry_after` is the receiver's header: it makes the delay longer, never shorter.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    delay = DELAYS_SECONDS[attempt - 1] * (1 - JITTER * draw())
    return max(delay, min(wished_seconds(retry_after), MAX_RETRY_AFTER_SECONDS))


def wished_seconds(retry_after: str | None) -> float:
    """Seconds or a date; 0 for what is neither."""
    if retry_after is None:
        return 0.0
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
