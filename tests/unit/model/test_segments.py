from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tasks.model.segments import Segments

SIZE = 30


class SegmentsMachine(RuleBasedStateMachine):
    """Against a map of the places: every one is free or belongs to one taker."""

    def __init__(self) -> None:
        super().__init__()
        self.segments = Segments(SIZE)
        self.taken: dict[int, int] = {}  #: Length by start.

    def gaps(self) -> list[int]:
        """Lengths of the free stretches."""
        used = {place for start, length in self.taken.items() for place in range(start, start + length)}
        places = "".join("x" if place in used else "." for place in range(SIZE))
        return [len(gap) for gap in places.split("x")]

    @rule(length=st.integers(1, SIZE))
    def take(self, length: int) -> None:
        fits = max(self.gaps()) >= length
        assert self.segments.fits(length) == fits
        if not fits:
            with pytest.raises(ValueError, match=f"no gap of {length} places"):
                self.segments.take(length)
            return
        start = self.segments.take(length)
        assert 0 <= start <= SIZE - length
        for other, other_length in self.taken.items():
            assert start >= other + other_length or other >= start + length
        self.taken[start] = length

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        start = data.draw(st.sampled_from(sorted(self.taken)))
        self.segments.give_back(start)
        del self.taken[start]

    @invariant()
    def everything_fits_when_nothing_is_taken(self) -> None:
        if not self.taken:
            assert self.segments.fits(SIZE)


TestSegments = SegmentsMachine.TestCase


def test_the_first_gap_that_is_large_enough_is_taken() -> None:
    segments = Segments(10)
    assert [segments.take(length) for length in (3, 2, 4)] == [0, 3, 5]
    segments.give_back(0)
    segments.give_back(5)
    assert segments.take(4) == 5
    assert segments.take(2) == 0
