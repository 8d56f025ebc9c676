"""The random interleavings of tests/unit on a real server, and many more of them."""

from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tasks.jobs.store import JobStore
from tests.job_machine import JobMachine


@pytest.mark.timeout(900)  # A failure is shrunk to the shortest story before it is told; that takes minutes.
def test_random_interleavings_agree_with_the_model(real_client: redis.Redis) -> None:
    def new_machine() -> JobMachine:
        real_client.flushdb()
        return JobMachine(JobStore(real_client))

    run_state_machine_as_test(
        new_machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
