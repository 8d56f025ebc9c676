from __future__ import annotations

import pytest

from api import store_budget
from api.store_budget import StoreBudget
from tasks.jobs.deadline import within_limit
from tests.fakes import FakeClock


def test_calls_share_their_time_and_what_happens_between_them_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(store_budget.time, "monotonic", clock)
    budget = StoreBudget(7)
    with budget.call():
        assert within_limit(None) == 7
        clock.advance(4)
    clock.advance(1000)
    assert within_limit(None) is None
    with budget.call():
        assert within_limit(60) == 3
        clock.advance(4)
    with budget.call(), pytest.raises(TimeoutError):
        within_limit(60)
