"""What has become of all jobs since the namespace exists: the scripts count transitions as they make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: Instead of a bound, in microseconds.
SUM = "sum"

#: In ms. What else stands there another version has counted.
BOUND = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?|inf")

#: As many digits as the server can count.
MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of seconds."""

    buckets: Mapping[float, int]  #: By upper bound: how many were longer than the next lower one.
    sum_seconds: float


class Counters:
    """A series is its name and its labels, in the order of scripts/shared/tally.lua."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._values = {
            tuple(field.split(":")): int(value)
            for field, value in fields.items()
            if value.isdecimal() and len(value) <= MAX_DIGITS
        }

    def count(self, *series: str) -> int:
        """0 as long as it has not happened."""
        return self._values.get(series, 0)

    def labels(self, name: str) -> Iterator[tuple[str, ...]]:
        """Of all series of this name that have happened."""
        return (series[1:] for series in self._values if series[0] == name)

    def distribution(self, *series: str) -> Distribution:
        width = len(series)
        buckets = {
            float(known[width]) / 1000: number
            for known, number in self._values.items()
            if len(known) == width + 1 and known[:width] == series and BOUND.fullmatch(known[width])
        }
        return Distribution(buckets=buckets, sum_seconds=self.count(*series, SUM) / 1e6)
