"""How long the server could be used."""

from __future__ import annotations

from collections import deque

#: Of these the oldest is forgotten: a server that is away so often within a lease is of no use to anybody.
MAX_SPANS = 100


class UpTime:
    """The spans of time in which the server could be used, in seconds by a clock that only grows."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque(maxlen=MAX_SPANS)

    def add(self, start: float, end: float) -> None:
        """It could be used from `start`, which is not before the end of the last span, to `end`."""
        if self._spans and self._spans[-1][1] == start:
            start, _ = self._spans.pop()
        self._spans.append((start, end))

    def away_during(self, seconds: float) -> float | None:
        """While it could be used for the latest so many `seconds`, how long could it not be used? None where
        not so many are known."""
        missing = seconds
        for start, end in reversed(self._spans):
            missing -= end - start
            if missing <= 0:
                return self._spans[-1][1] - (start - missing) - seconds
        return None
