"""What the corpus of abusive requests would complain about."""

from __future__ import annotations

import pytest

from tests.abuse.case import Case, request
from tests.abuse.corpus import corpus
from tests.abuse.exchange import Reply

CASE = Case("any", request("GET", "/"))
REFUSAL = b"HTTP/1.1 422 Unprocessable\r\nContent-Type: application/problem+json\r\n\r\n{}"


def test_there_are_hundreds_and_no_two_are_the_same() -> None:
    cases = corpus()
    assert len({case.data for case in cases}) >= 300


def test_a_refusal_is_fine() -> None:
    assert Reply(CASE, REFUSAL).complaint() is None


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"HTTP/1.1 500 Internal\r\n\r\n", "answered 500"),
        (b"HTTP/1.1 202 Accepted\r\nLocation: /jobs/job_1\r\n\r\n{}", "answered 202"),
        (b"", "answered None"),
        (b"HTTP/1.1 422 Unprocessable\r\nContent-Type: text/html\r\n\r\n<p>", "without a problem"),
        (REFUSAL + b"\nHTTP/1.1 200 OK\r\n\r\n# HELP", "second request"),
    ],
)
def test_everything_else_is_complained_about(reply: bytes, words: str) -> None:
    assert words in (Reply(CASE, reply).complaint() or "")


def test_a_job_that_was_recorded_is_noticed() -> None:
    assert Reply(CASE, b"HTTP/1.1 202 Accepted\r\nLocation: /jobs/job_1\r\n\r\n{}").recorded
    assert not Reply(CASE, REFUSAL).recorded
