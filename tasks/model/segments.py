"""Dividing one stretch of memory among sequences."""

from __future__ import annotations

from bisect import insort


class Segments:
    """Hands out stretches of `size` places, each in one piece; the first gap that is large enough is taken.

    Arithmetic only. When everything has been given back, any length up to `size` fits again.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._gaps = [(0, size)]  #: Start and end, ascending, never touching each other.
        self._taken: dict[int, int] = {}  #: End by start.

    def fits(self, length: int) -> bool:
        return any(end - start >= length for start, end in self._gaps)

    def take(self, length: int) -> int:
        """The first place of a stretch of `length` places. Raises ValueError where none fits."""
        for index, (start, end) in enumerate(self._gaps):
            if end - start >= length:
                self._gaps[index : index + 1] = [(start + length, end)] if end - start > length else []
                self._taken[start] = start + length
                return start
        raise ValueError(f"no gap of {length} places is left")

    def give_back(self, start: int) -> None:
        """Return what `take` gave, and join it with the gaps on both sides."""
        insort(self._gaps, (start, self._taken.pop(start)))
        joined = self._gaps[:1]
        for gap in self._gaps[1:]:
            if gap[0] == joined[-1][1]:
                joined[-1] = (joined[-1][0], gap[1])
            else:
                joined.append(gap)
        self._gaps = joined
