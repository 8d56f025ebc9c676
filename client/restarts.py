"""When a child that died is started again."""

from __future__ import annotations

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0

#: A child that was up this long has recovered: its earlier deaths are forgotten.
RECOVERED_SECONDS = 60.0

#: So many deaths in a row before `neoserve up` was ready: it will not get better by itself.
MAX_DEATHS_AT_START = 5


class Restarts:
    """The deaths in a row of one child, and the delay that follows from them."""

    def __init__(self) -> None:
        self.deaths = 0

    def died(self, lived_seconds: float) -> float:
        """Count a death; returns the seconds until the next start."""
        if lived_seconds >= RECOVERED_SECONDS:
            self.deaths = 0
        self.deaths += 1
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (self.deaths - 1))

    @property
    def hopeless(self) -> bool:
        """Whether a start-up should give up on this child."""
        return self.deaths >= MAX_DEATHS_AT_START
