"""So many in so much time."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(rf"(\d{{1,9}})\s*/\s*(?:(\d{{1,5}})\s*)?({'|'.join(_PERIODS)})s?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rate:
    amount: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.amount} times in {self.seconds} s"


def parse_rate(text: str) -> Rate:
    """`60/minute`, `5/10 seconds`. Raises ValueError."""
    found = _RATE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0 or (found[2] and int(found[2]) == 0):
        raise ValueError("expected a number and a period, such as 60/minute or 5/10 seconds")
    return Rate(int(found[1]), int(found[2] or 1) * _PERIODS[found[3].lower()])
