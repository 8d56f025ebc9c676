"""When a call that waits looks at a job with a deadline."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from api.overdue import MIN_LOOK_SECONDS, seconds_until_look
from tasks.jobs.models import JobStatus
from tasks.jobs.store import JobStore
from tests.job_steps import submit

NOW = 1000.0


@pytest.mark.parametrize(
    ("deadline_at", "seconds"),
    [(NOW + 3, 3.0), (NOW, MIN_LOOK_SECONDS), (NOW - 4, 4.0), (None, math.inf)],
    ids=["before", "at", "behind", "without"],
)
def test_a_queued_job_is_looked_at_when_its_deadline_passes_and_less_and_less_after_that(
    store: JobStore, deadline_at: float | None, seconds: float
) -> None:
    job = replace(submit(store), deadline_at=deadline_at)
    assert seconds_until_look(job, lambda: NOW) == seconds


def test_a_job_that_runs_is_stopped_by_its_worker(store: JobStore) -> None:
    job = replace(submit(store), status=JobStatus.RUNNING, deadline_at=NOW + 3)
    assert seconds_until_look(job, lambda: NOW) == math.inf
