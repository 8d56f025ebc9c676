from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from api.webhooks.policy import WEBHOOK_TTL_SECONDS
from api.webhooks.schedule import DELAYS_SECONDS, JITTER, MAX_ATTEMPTS, seconds_until_next

DAY_SECONDS = 24 * 3600


def test_the_delays_grow_to_about_a_day_and_end_while_the_job_is_kept() -> None:
    delays = [seconds_until_next(attempt, draw=lambda: 0.0) for attempt in range(1, MAX_ATTEMPTS)]
    assert delays == list(DELAYS_SECONDS) == sorted(DELAYS_SECONDS)
    assert 0.9 * DAY_SECONDS < sum(DELAYS_SECONDS) < WEBHOOK_TTL_SECONDS
    assert seconds_until_next(MAX_ATTEMPTS) is None


def test_what_failed_together_does_not_come_back_together() -> None:
    drawn = {seconds_until_next(5) for _ in range(50)}
    assert len(drawn) > 1
    assert all(each is not None and (1 - JITTER) * 1800 <= each <= 1800 for each in drawn)


def test_a_receiver_may_ask_for_more_time_and_never_for_less() -> None:
    assert seconds_until_next(1, "120") == 120
    assert seconds_until_next(1, "0", draw=lambda: 0.0) == 5
    assert seconds_until_next(1, "9" * 20) == 28800
    in_an_hour = seconds_until_next(1, formatdate(time.time() + 3600, usegmt=True))
    assert in_an_hour is not None
    assert 3500 < in_an_hour <= 3600
    assert seconds_until_next(MAX_ATTEMPTS, "120") is None


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "\N{SUPERSCRIPT TWO}", "Mon, 99 Foo"])
def test_a_header_that_says_nothing_changes_nothing(header: str) -> None:
    assert seconds_until_next(1, header, draw=lambda: 0.0) == 5
