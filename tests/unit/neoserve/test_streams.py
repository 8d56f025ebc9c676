"""Each token once, over as many connections as it takes."""

from __future__ import annotations

import pytest

from neoserve import (
    Done,
    Gone,
    Overloaded,
    Queued,
    Started,
    Token,
    UnexpectedAnswer,
    Unreachable,
    stream_flow,
)
from tests.unit.neoserve.network import Network, job_json, problem, sent

STARTED = {"job_id": "job_1", "attempt": 1}
AGAIN = {"job_id": "job_1", "attempt": 2}
DONE = sent("done", {"job": job_json()}, "1-9")
BROKEN = Unreachable("The connection broke.")
LOCATION = "/jobs/job_1"


def token(text: str, id: str = "", index: int = 0) -> bytes:
    return sent("token", {"text": text, "index": index}, id)


def stream(network: Network) -> list[object]:
    """Its events; tokens as their text alone, where there is one text."""
    told = network.each(stream_flow.stream({"text": "Hi"}, "key", network.persistence))
    return [each.text if isinstance(each, Token) and each.index == 0 else each for each in told]


def test_a_stream_tells_place_start_tokens_and_end() -> None:
    place = {"job_id": "job_1", "position": 2, "eta_s": 1.5}
    network = Network().sends(
        sent("queued", place) + sent("started", STARTED, "1-0"),
        b": a comment\n\n" + token("a\u2028b", "1-1"),
        DONE,
    )
    queued, started, text, done = stream(network)
    assert (queued, started, text) == (Queued("job_1", 2, 1.5), Started("job_1", 1), "a\u2028b")
    assert isinstance(done, Done)
    assert done.job.succeeded
    assert network.calls[0].headers["Accept"] == "text/event-stream"


def test_pieces_end_anywhere() -> None:
    whole = sent("started", STARTED, "1-0") + token("Grüße", "1-1") + token(" ☃", "1-2") + DONE
    told = stream(Network().sends(*(whole[i : i + 1] for i in range(len(whole)))))
    assert told[1:3] == ["Grüße", " ☃"]


def test_a_lost_connection_is_taken_up_behind_the_last_event() -> None:
    network = Network()
    network.sends(
        sent("started", STARTED, "1-0") + token("a", "1-1") + b"event: tok", BROKEN, location=LOCATION
    )
    network.breaks()
    network.sends(token("b", "1-2") + DONE)
    assert stream(network)[1:3] == ["a", "b"]
    assert network.asked == ["POST /predict", *["GET /jobs/job_1/events"] * 2]
    assert [call.headers.get("Last-Event-ID") for call in network.calls] == [None, "1-1", "1-1"]


def test_a_request_that_was_lost_before_its_id_is_known_is_sent_again_with_its_key() -> None:
    network = Network().breaks().sends(sent("started", STARTED, "1-0") + DONE, location=LOCATION)
    assert len(stream(network)) == 2
    assert [call.headers["Idempotency-Key"] for call in network.calls] == ["key", "key"]


def test_an_attempt_that_is_sent_again_is_told_once() -> None:
    """As the service does when it has the events no more."""
    network = Network()
    beginning = sent("started", STARTED, "1-0") + token("ab", "1-1") + token("x", "1-2", index=1)
    network.sends(beginning, BROKEN, location=LOCATION)
    network.sends(sent("started", STARTED) + token("abcd") + token("xy", index=1) + DONE)
    assert stream(network)[:-1] == [Started("job_1", 1), "ab", Token("x", 1), "cd", Token("y", 1)]


def test_another_attempt_begins_anew() -> None:
    network = Network()
    network.sends(sent("started", STARTED, "1-0") + token("ab", "1-1"), BROKEN, location=LOCATION)
    network.sends(sent("started", AGAIN, "2-0") + token("abc", "2-1") + DONE)
    assert stream(network)[:-1] == [Started("job_1", 1), "ab", Started("job_1", 2), "abc"]


def test_a_process_that_shuts_down_is_left_for_as_long_as_it_says() -> None:
    network = (
        Network()
        .sends(token("a", "1-1") + b"retry: 1000\n\n", location=LOCATION)
        .sends(token("b", "1-2") + DONE)
    )
    stream(network)
    assert network.pauses == [1.0]


def test_a_job_that_is_gone_meanwhile_ends_the_stream_with_its_error() -> None:
    network = Network().sends(sent("error", {"problem": problem(410, "gone")}))
    with pytest.raises(Gone):
        stream(network)


def test_a_service_without_a_seat_is_asked_again() -> None:
    network = Network().says(503, problem(503, "busy"), retry_after=2).sends(sent("started", STARTED) + DONE)
    assert len(stream(network)) == 2
    assert network.pauses == [2.0]


def test_a_stream_that_is_refused_tells_nothing() -> None:
    network = Network(patience=0).says(429, problem(429, "queue_full"))
    with pytest.raises(Overloaded):
        stream(network)


def test_an_answer_that_is_no_stream_is_none() -> None:
    with pytest.raises(UnexpectedAnswer):
        stream(Network().sends(b"<html>", content_type="text/html"))


@pytest.mark.parametrize(
    "data",
    [
        b"event: token\ndata: {}\n\n",
        b"event: token\ndata: {\n\n",
        b"event: done\ndata: []\n\n",
        b"retry: x\n\n",
    ],
)
def test_events_of_another_program_are_none(data: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        stream(Network().sends(data))


def test_a_reader_gives_up_when_the_service_stays_away() -> None:
    network = Network().sends(token("a", "1-1"), BROKEN, location=LOCATION).breaks(times=40)
    with pytest.raises(Unreachable):
        stream(network)
    assert 50 < network.now <= 60
