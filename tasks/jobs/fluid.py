"""Three queues that share the workers 8 : 3 : 1, as if jobs were a fluid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.jobs.models import Priority

#: Claims of each priority while all of them have jobs; `claim.lua` serves them so.
WEIGHTS: Mapping[Priority, int] = {Priority.HIGH: 8, Priority.NORMAL: 3, Priority.LOW: 1}

#: For so long as many jobs will come as came lately. Then none, since most bursts are over soon.
ARRIVALS_LAST_SECONDS = 20.0

_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Lane:
    """The jobs of one priority that wait."""

    num_jobs: int
    tokens_each: float  #: In the mean and at most; 0 where it is not known.
    arrivals_per_second: float  #: Lately.


def seconds_until_claimed(lanes: Mapping[Priority, Lane], own: Priority, tokens_per_second: float) -> float:
    """Until all jobs of the lane `own` are claimed, without those that come later in it.

    `tokens_each` of every lane must be known. Lanes with jobs share by weight; what comes into an empty one
    is served as it comes, up to its share. Between two events all rates are constant, so only these are
    visited: a lane becomes empty (for good, since shares only grow), and nothing comes any more.
    """
    left = {priority: float(lane.num_jobs) for priority, lane in lanes.items()}
    arrivals = {priority: lane.arrivals_per_second for priority, lane in lanes.items() if priority is not own}
    seconds, calm = 0.0, False
    while left[own] > _NOTHING:
        share = _share(lanes, left, arrivals, tokens_per_second)
        rates = {each: WEIGHTS[each] * share - arrivals.get(each, 0.0) for each in lanes}
        events = [left[each] / rate for each, rate in rates.items() if left[each] > _NOTHING and rate > 0]
        step = min(events) if calm else min(*events, ARRIVALS_LAST_SECONDS - seconds)
        left = {each: max(0.0, left[each] - rate * step) for each, rate in rates.items()}
        seconds += step
        if seconds >= ARRIVALS_LAST_SECONDS and not calm:
            arrivals, calm = {}, True
    return seconds


def _share(
    lanes: Mapping[Priority, Lane],
    left: Mapping[Priority, float],
    arrivals: Mapping[Priority, float],
    tokens_per_second: float,
) -> float:
    """Claims per second for each unit of weight, of the lanes that have jobs or get more than their share."""
    sharing = {each for each in lanes if left[each] > _NOTHING}
    while True:
        passing = {each: rate for each, rate in arrivals.items() if each not in sharing}
        free = tokens_per_second - sum(rate * lanes[each].tokens_each for each, rate in passing.items())
        share = max(0.0, free) / sum(WEIGHTS[each] * lanes[each].tokens_each for each in sharing)
        growing = {each for each, rate in passing.items() if rate > WEIGHTS[each] * share}
        if not growing:
            return share
        sharing |= growing
