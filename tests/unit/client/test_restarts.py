"""The delay between a death and the next start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client.restarts import LONGEST_DELAY_SECONDS, RECOVERED_SECONDS, Restarts


def test_the_delay_doubles_with_every_death_in_a_row() -> None:
    restarts = Restarts()
    assert [restarts.died(0.1) for _ in range(4)] == [0.5, 1.0, 2.0, 4.0]


def test_a_child_that_lived_long_starts_again_soon() -> None:
    restarts = Restarts()
    for _ in range(6):
        restarts.died(0.1)
    assert restarts.died(RECOVERED_SECONDS) == 0.5


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=2000))
def test_the_delay_stays_within_its_limits(lives: list[float]) -> None:
    restarts = Restarts()
    assert all(0 < restarts.died(seconds) <= LONGEST_DELAY_SECONDS for seconds in lives)
