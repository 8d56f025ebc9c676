"""What waits for a model, how fast it is served, and so when a job will start."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.jobs.fluid import Lane, seconds_until_claimed
from tasks.jobs.models import Job, Priority

#: As in the scripts: what was noted fades with this time constant.
FADE_SECONDS = 20.0

#: A longer pause than in which so many jobs should have come is no chance any more.
JOBS_IN_A_PAUSE = 2

#: A pace that was measured for less time says little.
MIN_MEASURED_SECONDS = 2.0

#: Where jobs wait and no worker has told of its work for so long, the pace says nothing any more.
MAX_SILENCE_SECONDS = 10.0

#: Where jobs wait longer, no worker has room, whatever it says.
CLAIMED_WITHIN_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """The three queues of one model at one moment, and what its workers have."""

    lanes: Mapping[Priority, Lane]
    tokens_per_second: float | None  #: Of the whole fleet while it is busy; None: not measured lately.
    likely_tokens_per_second: float | None  #: With all slots taken, as fast as its texts are now.
    num_free: int  #: Texts for which workers have room now.
    num_stuck: int  #: Jobs that workers have claimed and found no room for; they come before all that wait.
    seconds_until_end: float | None  #: Until the first held job ends, at most; None: not known.

    @property
    def num_jobs(self) -> int:
        return sum(lane.num_jobs for lane in self.lanes.values())

    def wait_seconds(self, priority: Priority, num_ahead: int, num_tokens: int) -> float | None:
        """Until a job of `num_tokens` starts that has `num_ahead` jobs of its own priority before it.

        None when nothing was measured.
        """
        if self.num_jobs - self.lanes[priority].num_jobs + num_ahead < self.num_free:
            return 0.0
        usual = self._tokens_each() or num_tokens
        free_in_seconds = self._seconds_until_free(usual)
        if free_in_seconds is None or not (num_ahead or self.num_stuck):
            return free_in_seconds
        pace = self.tokens_per_second or self.likely_tokens_per_second
        if pace is None:
            return None
        seconds = self._seconds_until_claimed(priority, num_ahead, usual, pace)
        return free_in_seconds + self.num_stuck * usual / pace + seconds

    def seconds_until_gone(self, num_jobs: int) -> float | None:
        """Until so many jobs have left the queues. None when nothing was measured or nothing waits."""
        tokens_each = self._tokens_each()
        if self.tokens_per_second is None or not tokens_each:
            return None
        return num_jobs * tokens_each / self.tokens_per_second

    def seconds_until_served(self, priority: Priority, num_jobs: int) -> float | None:
        """Until so many jobs of this priority were taken, next to the others.

        None when nothing was measured or nothing waits.
        """
        pace = self.tokens_per_second or self.likely_tokens_per_second
        usual = self._tokens_each()
        if pace is None or not usual:
            return None
        return self._seconds_until_claimed(priority, num_jobs, usual, pace)

    def _seconds_until_claimed(
        self, priority: Priority, num_jobs: int, usual_tokens: float, tokens_per_second: float
    ) -> float:
        """All of so many jobs of this priority, next to the others."""
        lanes = {
            each: replace(lane, tokens_each=lane.tokens_each or usual_tokens)
            for each, lane in self.lanes.items()
        }
        lanes[priority] = replace(lanes[priority], num_jobs=num_jobs)
        return seconds_until_claimed(lanes, priority, tokens_per_second)

    def _seconds_until_free(self, usual_tokens: float) -> float | None:
        """Until the first slot is free. Its job is in the middle, where no more is known of it."""
        if self.seconds_until_end is None and self.tokens_per_second is not None:
            return usual_tokens / 2 / self.tokens_per_second
        return self.seconds_until_end

    def _tokens_each(self) -> float:
        num_tokens = sum(lane.num_jobs * lane.tokens_each for lane in self.lanes.values())
        return num_tokens / self.num_jobs if self.num_jobs else 0.0


def seconds_until_free(backlogs: Iterable[Backlog], num_items: int) -> float | None:
    """Until so many items of batches have been taken by workers, whichever of these models they are for.

    None when nothing was measured of any.
    """
    each = [backlog.seconds_until_served(Priority.LOW, num_items) for backlog in backlogs]
    per_second = sum(num_items / seconds for seconds in each if seconds)
    return num_items / per_second if per_second else None


def decode_backlog(flat: Sequence[str | int | None]) -> Backlog:
    """From what the scripts answer: `backlog` of scripts/shared/flow.lua."""
    values = [float(value or 0) for value in flat]
    now_ms, oldest_ms, end_ms, num_stuck = values[:4]
    slots, rows, row_pace, told_ms, run_tokens, run_ms = values[7:13]
    lanes = {}
    for i, priority in enumerate(Priority):
        num_jobs, (num_tokens, came, came_ms) = values[4 + i], values[13 + 3 * i : 16 + 3 * i]
        lanes[priority] = Lane(
            num_jobs=int(num_jobs),
            tokens_each=max(num_tokens, 0.0) / num_jobs if num_jobs else 0.0,
            arrivals_per_second=_arrivals(came, (now_ms - came_ms) / 1000),
        )
    jams = (
        any(lane.num_jobs for lane in lanes.values()) and now_ms - oldest_ms > 1000 * CLAIMED_WITHIN_SECONDS
    )
    measured = run_tokens > 0 and run_ms >= 1000 * MIN_MEASURED_SECONDS
    lately = now_ms - told_ms <= 1000 * MAX_SILENCE_SECONDS
    return Backlog(
        lanes=lanes,
        tokens_per_second=1000 * run_tokens / run_ms if measured and lately else None,
        likely_tokens_per_second=1000 * slots * row_pace or None if lately else None,
        num_free=0 if jams or num_stuck else max(0, int(slots - rows)),
        num_stuck=int(num_stuck),
        seconds_until_end=max(0.0, end_ms - now_ms) / 1000 if end_ms and lately else None,
    )


def _arrivals(came: float, gap_seconds: float) -> float:
    """Jobs per second, from those noted when the last came; a pause tells first that they stop coming."""
    lately = came * math.exp(-gap_seconds / FADE_SECONDS) / FADE_SECONDS
    return min(lately, JOBS_IN_A_PAUSE / gap_seconds) if gap_seconds > 0 else lately


def placed(job: Job, position: int, backlog: Sequence[Any]) -> Job:
    """With what the scripts call its place."""
    if not position:
        return job
    eta = decode_backlog(backlog).wait_seconds(job.priority, position - 1, job.parameters.max_tokens)
    return replace(job, position=position, eta_seconds=eta)
