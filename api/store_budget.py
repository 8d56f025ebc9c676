"""The time that a request may spend with the store when it needs many calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.jobs.deadline import time_limit


class StoreBudget:
    """All calls together take at most `seconds`; what happens between them does not count."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @contextmanager
    def call(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            with time_limit(self._left):
                yield
        finally:
            self._left -= time.monotonic() - started
