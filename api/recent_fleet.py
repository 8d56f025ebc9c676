"""The fleet, without asking the store for each request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.fleet import Fleet

MAX_AGE_SECONDS = 1.0


class RecentFleet:
    """What `fetch` returned or raised at most a second ago: however many dashboards look, the store is asked
    once a second. Thread-safe."""

    def __init__(self, fetch: Callable[[], Fleet], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known_at = float("-inf")
        self._known: Fleet | StoreUnavailable = StoreUnavailable()

    def read(self) -> Fleet:
        """Raises StoreUnavailable."""
        with self._lock:
            if self._clock() - self._known_at > MAX_AGE_SECONDS:
                try:
                    self._known = self._fetch()
                except StoreUnavailable as error:
                    self._known = error
                self._known_at = self._clock()
            known = self._known
        if isinstance(known, StoreUnavailable):
            raise type(known)(str(known)) from known
        return known
