"""Seats for clients that stay: waiting calls and open streams hold a thread each, and some must be left."""

from __future__ import annotations

import threading


class Seats:
    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)

    def take(self) -> bool:
        """False: all are taken. Never waits."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        self._free.release()
