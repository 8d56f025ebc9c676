from __future__ import annotations

import pytest
from flask import Flask, request

from api.errors import InvalidParameters
from api.preference import Preference, wait_preference

app = Flask(__name__)


def preference(query: str = "", *prefer: str) -> Preference:
    headers = [("Prefer", value) for value in prefer]
    with app.test_request_context(f"/predict{query}", headers=headers):
        return wait_preference(request, default_seconds=30)


def test_without_a_word_from_the_client_the_default_holds() -> None:
    assert preference() == Preference(30)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("wait=10", Preference(10, "wait=10")),
        ("wait=0", Preference(0, "wait=0")),
        ("WAIT = 5", Preference(5, "wait=5")),
        ('wait="5"', Preference(5, "wait=5")),
        ("respond-async", Preference(0, "respond-async")),
        ("respond-async, wait=2", Preference(2, "wait=2")),
        ("wait=2; foo=bar, return=minimal", Preference(2, "wait=2")),
        ("wait=600", Preference(60, "wait=60")),
        ("wait=99999999999", Preference(60, "wait=60")),
        ("wait=soon", Preference(30)),
        ("wait=-1", Preference(30)),
        ("return=minimal", Preference(30)),
        (",,=;", Preference(30)),
    ],
)
def test_a_prefer_header_is_met_as_far_as_possible(header: str, expected: Preference) -> None:
    assert preference("", header) == expected


def test_several_prefer_headers_count_as_one() -> None:
    assert preference("", "respond-async", "wait=3") == Preference(3, "wait=3")


@pytest.mark.parametrize(("query", "seconds"), [("0", 0), ("60", 60), ("2.5", 2.5)])
def test_the_query_says_how_long_to_wait(query: str, seconds: float) -> None:
    assert preference(f"?wait={query}") == Preference(seconds)


@pytest.mark.parametrize("query", ["", "61", "-1", "soon", "nan", "inf", "1e1", "1_0", "9" * 400, "٣"])
def test_a_wait_that_is_no_number_from_0_to_60_is_refused(query: str) -> None:
    with pytest.raises(InvalidParameters, match=r"from 0 to 60 \(given: .*\)"):
        preference(f"?wait={query}")


def test_the_header_comes_before_the_query() -> None:
    assert preference("?wait=5", "wait=1") == Preference(1, "wait=1")


def test_a_header_excuses_no_mistake_in_the_query() -> None:
    with pytest.raises(InvalidParameters, match="from 0 to 60"):
        preference("?wait=61", "wait=1")
