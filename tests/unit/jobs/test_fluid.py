"""When the last of a priority's jobs is claimed, by hand and by serving job after job as claim.lua does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.jobs.fluid import ARRIVALS_LAST_SECONDS, WEIGHTS, Lane, seconds_until_claimed
from tasks.jobs.models import Priority

HIGH, NORMAL, LOW = Priority

EMPTY = Lane(0, 10, 0)


def lanes(high: Lane = EMPTY, normal: Lane = EMPTY, low: Lane = EMPTY) -> dict[Priority, Lane]:
    return {HIGH: high, NORMAL: normal, LOW: low}


def test_nothing_ahead_takes_no_time() -> None:
    assert seconds_until_claimed(lanes(high=Lane(1000, 10, 5)), LOW, 100) == 0


def test_a_lone_queue_has_the_whole_fleet() -> None:
    assert seconds_until_claimed(lanes(normal=Lane(20, 50, 0)), NORMAL, 100) == pytest.approx(10)


def test_full_queues_share_by_weight() -> None:
    # 8 + 3 + 1 jobs of 10 tokens take 1.2 s at 100 tokens per second; 2 of the low ones are claimed in 2.4.
    full = lanes(Lane(1000, 10, 0), Lane(1000, 10, 0), Lane(2, 10, 0))
    assert seconds_until_claimed(full, LOW, 100) == pytest.approx(2.4)


def test_weights_count_jobs_and_not_tokens() -> None:
    # While one low job is claimed, 8 high ones of 100 tokens are.
    assert seconds_until_claimed(lanes(high=Lane(1000, 100, 0), low=Lane(1, 10, 0)), LOW, 100) == (
        pytest.approx(8.1)
    )


def test_a_queue_that_becomes_empty_leaves_its_share_to_the_others() -> None:
    # All 16 high jobs and 2 low ones in 1.8 s; then the other 8 low ones alone in 0.8 s.
    assert seconds_until_claimed(lanes(high=Lane(16, 10, 0), low=Lane(10, 10, 0)), LOW, 100) == (
        pytest.approx(2.6)
    )


def test_what_comes_into_an_empty_queue_is_served_as_it_comes() -> None:
    # 4 high jobs a second take 40 of 100 tokens per second.
    assert seconds_until_claimed(lanes(high=Lane(0, 10, 4), low=Lane(60, 10, 0)), LOW, 100) == (
        pytest.approx(10)
    )


def test_what_comes_gets_no_more_than_its_share() -> None:
    # 100 high jobs a second: eight ninths of the fleet, as long as they come.
    assert seconds_until_claimed(lanes(high=Lane(0, 10, 100), low=Lane(10, 10, 0)), LOW, 100) == (
        pytest.approx(9)
    )


def test_jobs_do_not_come_for_ever() -> None:
    # 9 of 10 jobs per second are the others' for a while; after it the fleet is free.
    waiting = lanes(normal=Lane(0, 10, 7), low=Lane(100, 10, 0))
    assert seconds_until_claimed(waiting, LOW, 100) == pytest.approx(
        ARRIVALS_LAST_SECONDS + (100 - 3 * ARRIVALS_LAST_SECONDS) / 10
    )


def test_what_comes_later_in_the_own_queue_does_not_count() -> None:
    assert seconds_until_claimed(lanes(low=Lane(10, 10, 1000)), LOW, 100) == pytest.approx(1)


def served_one_by_one(left: dict[Priority, int], tokens: dict[Priority, int], own: Priority) -> int:
    """Tokens of all jobs claimed until the last of `own`, when claims go to the priority least far on."""
    left, passes, done = dict(left), dict.fromkeys(Priority, 0.0), 0
    while left[own]:
        each = min((each for each in Priority if left[each]), key=lambda each: passes[each])
        passes[each] += 24 / WEIGHTS[each]
        left[each] -= 1
        done += tokens[each]
    return done


counts = st.fixed_dictionaries({each: st.integers(0, 200) for each in Priority})
sizes = st.fixed_dictionaries({each: st.integers(1, 300) for each in Priority})


@given(counts, sizes, st.sampled_from(Priority))
def test_the_fluid_is_never_further_from_the_jobs_than_one_turn_of_the_weights(
    left: dict[Priority, int], tokens: dict[Priority, int], own: Priority
) -> None:
    fluid = seconds_until_claimed({each: Lane(left[each], tokens[each], 0) for each in Priority}, own, 1.0)
    one_turn = sum(WEIGHTS[each] * tokens[each] for each in Priority)
    assert abs(fluid - served_one_by_one(left, tokens, own)) <= one_turn


rates = st.fixed_dictionaries({each: st.floats(0, 1000) for each in Priority})


@given(counts, sizes, rates, st.sampled_from(Priority))
def test_arrivals_delay_and_never_beyond_the_share_of_the_weights(
    left: dict[Priority, int], tokens: dict[Priority, int], coming: dict[Priority, float], own: Priority
) -> None:
    def seconds(rates: dict[Priority, float]) -> float:
        waiting = {each: Lane(left[each], tokens[each], rates[each]) for each in Priority}
        return seconds_until_claimed(waiting, own, 100)

    own_share = WEIGHTS[own] / sum(WEIGHTS[each] * tokens[each] for each in Priority)
    assert seconds(dict.fromkeys(Priority, 0.0)) <= seconds(coming) * (1 + 1e-6)
    assert seconds(coming) <= left[own] / own_share / 100 * (1 + 1e-6)
