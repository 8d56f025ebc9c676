"""Random interleavings on fakeredis; tests/integration runs many more of them on a real server."""

from __future__ import annotations

import fakeredis
import pytest
from hypothesis import HealthCheck, settings

from tasks.jobs.store import JobStore
from tests.job_machine import JobMachine

# A failure is shrunk to the shortest story before it is told; that takes minutes.
pytestmark = pytest.mark.timeout(600)


class FakeJobMachine(JobMachine):
    def __init__(self) -> None:
        super().__init__(JobStore(fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)))


FakeJobMachine.TestCase.settings = settings(
    max_examples=5,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRandomInterleavings = FakeJobMachine.TestCase
