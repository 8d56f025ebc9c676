"""When to look whether a job has expired: the reaper finds that out, but up to some seconds late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tasks.jobs.models import Job, JobStatus

#: The server's clock decides, and this one may be ahead of it.
MIN_LOOK_SECONDS = 0.1


def seconds_until_look(job: Job, clock: Callable[[], float] = time.time) -> float:
    """Until the deadline of a queued job; behind it, twice as long each time, since its worker may be lost.
    Infinite where no deadline counts. `clock` gives Unix seconds.
    """
    if job.status is not JobStatus.QUEUED or job.deadline_at is None:
        return math.inf
    return max(MIN_LOOK_SECONDS, abs(job.deadline_at - clock()))
