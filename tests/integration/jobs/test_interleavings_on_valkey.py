"""The random interleavings of tests/unit on a real server, and many more of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.job_machine import JobMachine
from tests.services import RealServer


@pytest.mark.timeout(900)  # A failure is shrunk to the shortest story before it is told; that takes minutes.
def test_random_interleavings_agree_with_the_model(own_server: RealServer) -> None:
    """On a server of its own: another reaper would end jobs at times that the model knows nothing of."""
    with connect(own_server.url) as client:

        def new_machine() -> JobMachine:
            client.flushdb()
            return JobMachine(JobStore(client))

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
