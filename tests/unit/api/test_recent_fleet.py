from __future__ import annotations

import pytest

from api.recent_fleet import MAX_AGE_SECONDS, RecentFleet
from tasks.jobs.errors import StoreBroken, StoreUnavailable
from tasks.jobs.fleet import Batches, Fleet


class Store:
    """Counts how often it is asked, and may be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    def fleet(self) -> Fleet:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return Fleet(
            num_held=self.asked,
            num_running=0,
            oldest_queued_seconds=0,
            ended={},
            workers=[],
            models=[],
            batches=Batches(0, 0, 0),
        )


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_store_is_asked_once_a_second_however_many_look() -> None:
    store, clock = Store(), Clock()
    recent = RecentFleet(store.fleet, clock)
    assert [recent.read().num_held for _ in range(100)] == [1] * 100
    clock.now += MAX_AGE_SECONDS + 0.1
    assert recent.read().num_held == 2


def test_what_was_wrong_keeps_its_name() -> None:
    def broken() -> Fleet:
        raise StoreBroken("neoserve:leases is a string")

    recent = RecentFleet(broken, Clock())
    for _ in range(2):
        with pytest.raises(StoreBroken, match="neoserve:leases"):
            recent.read()


def test_an_outage_is_asked_about_once_a_second_too_and_is_over_after_it() -> None:
    store, clock = Store(), Clock()
    store.away = True
    recent = RecentFleet(store.fleet, clock)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="away"):
            recent.read()
    assert store.asked == 1

    store.away = False
    clock.now += MAX_AGE_SECONDS + 0.1
    assert recent.read().num_held == 2
