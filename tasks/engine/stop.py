"""Finding stop strings in a text that arrives in pieces."""

from __future__ import annotations


class StopMatcher:
    """Lets text through until a stop string is complete; neither it nor what follows comes out.

    Text that may be the beginning of a stop string is held back. The stop string that is completed
    first counts, and of those completed by the same character the longest: so the result does not
    depend on how the text is cut into pieces.
    """

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = stop
        self._longest = max(map(len, stop), default=0)
        self._held = ""
        self.stopped = False

    def add(self, piece: str) -> str:
        """The text that can be shown now that `piece` has come."""
        if self.stopped or not self._stop:
            return "" if self.stopped else piece
        self._held += piece
        start = self._first_match()
        if start is not None:
            self.stopped = True
            return self._let_out(start, forget=True)
        return self._let_out(len(self._held) - self._num_undecided())

    def flush(self) -> str:
        """What is still held back when the text ends without a stop string."""
        return self._let_out(len(self._held))

    def _first_match(self) -> int | None:
        """Where the match begins that ends first."""
        starts = [(self._held.find(stop), stop) for stop in self._stop]
        matches = [(start + len(stop), start) for start, stop in starts if start >= 0]
        return min(matches)[1] if matches else None

    def _num_undecided(self) -> int:
        """Length of the longest end of the held text with which some stop string begins."""
        for size in range(min(len(self._held), self._longest - 1), 0, -1):
            end = self._held[-size:]
            if any(stop.startswith(end) for stop in self._stop):
                return size
        return 0

    def _let_out(self, num_chars: int, *, forget: bool = False) -> str:
        out = self._held[:num_chars]
        self._held = "" if forget else self._held[num_chars:]
        return out
