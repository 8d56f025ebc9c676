from __future__ import annotations

import fakeredis
import pytest

from tests.unit.jobs.reaping import ReaperUnderTest


@pytest.fixture
def under_test() -> ReaperUnderTest:
    return ReaperUnderTest(fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True))
