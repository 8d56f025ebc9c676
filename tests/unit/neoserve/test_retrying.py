"""What is tried again, when, and for how long."""

from __future__ import annotations

import pytest

from neoserve import Overloaded, RequestRefused, ServerError, Unavailable, Unreachable, job_flows
from neoserve.patience import LONGEST_SECONDS, SPREAD, Patience, Persistence
from tests.unit.neoserve.network import Network, job_json, problem

BODY = {"text": "Hi"}


def submit(network: Network) -> str:
    return network.run(job_flows.submit(BODY, "key", network.persistence)).id


def test_a_request_whose_connection_broke_is_sent_again_with_its_key() -> None:
    network = Network().breaks().says(202, job_json("queued"))
    assert submit(network) == "job_1"
    assert [call.headers["Idempotency-Key"] for call in network.calls] == ["key", "key"]
    assert network.calls[0] == network.calls[1]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (408, "request_timeout"),
        (429, "queue_full"),
        (503, "queue_full"),
        (503, "store_unavailable"),
        (503, "no_model"),
    ],
)
def test_a_service_that_says_later_is_asked_again_when_it_says(status: int, code: str) -> None:
    network = Network().says(status, problem(status, code), retry_after=7).says(202, job_json("queued"))
    assert submit(network) == "job_1"
    assert network.pauses == [7.0]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxy_that_is_in_trouble_is_asked_again(status: int) -> None:
    network = Network().says(status, "<html>").says(202, job_json("queued"))
    assert submit(network) == "job_1"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(422, "invalid_parameter", RequestRefused), (500, "internal_error", ServerError)],
)
def test_what_will_not_change_is_asked_once(status: int, code: str, kind: type[Exception]) -> None:
    network = Network().says(status, problem(status, code))
    with pytest.raises(kind):
        submit(network)
    assert network.pauses == []


def test_pauses_grow_up_to_a_limit_until_patience_is_over() -> None:
    network = Network(patience=60).breaks(times=30)
    with pytest.raises(Unreachable):
        submit(network)
    assert network.pauses[:3] == [0.25, 0.5, 1.0]
    assert max(network.pauses) == LONGEST_SECONDS / 2  # Chance is at its lowest here.
    assert 60 - LONGEST_SECONDS <= network.now <= 60


def test_a_pause_longer_than_patience_is_an_error_at_once() -> None:
    network = Network().says(429, problem(429, "queue_full"), retry_after=600)
    with pytest.raises(Overloaded) as refused:
        submit(network)
    assert (refused.value.retry_after, network.pauses) == (600.0, [])


def test_without_patience_there_is_one_try() -> None:
    network = Network(patience=0).breaks()
    with pytest.raises(Unreachable):
        submit(network)


def test_those_who_were_told_the_same_come_back_at_different_times() -> None:
    told = Unavailable("Later.", retry_after=10.0)
    pauses = [
        Patience(Persistence(chance=lambda chance=chance: chance)).pause(told).seconds  # type: ignore[misc]
        for chance in (0.0, 0.5, 1.0)
    ]
    assert pauses == [10.0, 10.0 * (1 + SPREAD / 2), 10.0 * (1 + SPREAD)]


def test_a_success_restores_patience() -> None:
    network = Network()
    patience = Patience(network.persistence)
    first = patience.pause(Unreachable("Away.")).seconds
    network.now = 29.9
    patience.restore()
    assert patience.pause(Unreachable("Away.")).seconds == first


def test_each_pause_is_told_before_it() -> None:
    told: list[tuple[str, float]] = []
    persistence = Persistence(
        on_retry=lambda error, seconds: told.append((error.code, seconds)), chance=lambda: 0
    )
    network = Network().says(429, problem(429, "queue_full"), retry_after=3).says(202, job_json("queued"))
    network.run(job_flows.submit(BODY, "key", persistence))
    assert told == [("queue_full", 3.0)]
