"""How long something has not changed."""

from __future__ import annotations


class Standstill:
    """Seconds that a mark has stayed the same, in the time of whoever looks.

    Only time in which somebody looked counts: a process that was stopped for an hour has not stood still.
    """

    def __init__(self) -> None:
        self._mark: object = None
        self._seconds = 0.0

    def look(self, mark: object, seconds: float) -> float:
        """The last look was so many `seconds` ago."""
        self._seconds = self._seconds + seconds if mark == self._mark else 0.0
        self._mark = mark
        return self._seconds

    def reset(self) -> None:
        self._seconds = 0.0
