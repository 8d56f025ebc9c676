"""Completions as streams: what a client is sent, event by event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import job_stream
from api.service import EXTENSION
from tasks.jobs import event_feed
from tasks.jobs.models import JobError, JobStatus
from tasks.jobs.protocol import Outcome
from tasks.jobs.store import JobStore
from tests.job_steps import WORKER, claim, finish, step, text_piece
from tests.time_travel import let_pass
from tests.unit.api.fakes import MODEL
from tests.waiting import wait_until

BODY = {"model": MODEL, "prompt": "Once", "stream": True}
USAGE = {"stream_options": {"include_usage": True}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing brings the events here, so feeds look for themselves; and they look at the record as often."""
    monkeypatch.setattr(event_feed, "LOOK_WHILE_AWAY_SECONDS", 0.01)
    monkeypatch.setattr(job_stream, "LOOK_SECONDS", 0.02)


class Live:
    """A stream that is read event by event."""

    def __init__(self, answer: TestResponse) -> None:
        assert answer.status_code == 200
        assert answer.mimetype == "text/event-stream"
        self.answer = answer
        self._data = data_of(answer.iter_encoded())

    def next(self) -> Any:
        return next(self._data)

    def rest(self) -> list[Any]:
        return list(self._data)


def data_of(pieces: Iterator[bytes]) -> Iterator[Any]:
    """Of each event; whatever is no event of data alone, nor a comment, fails."""
    for piece in pieces:
        for event in piece.decode("ascii").split("\n\n")[:-1]:
            if event == ":":
                continue
            assert event.startswith("data: ")
            assert "\n" not in event
            text = event.removeprefix("data: ")
            yield text if text == "[DONE]" else json.loads(text)


@pytest.fixture
def opened() -> Iterator[list[Live]]:
    streams: list[Live] = []
    yield streams
    for each in streams:
        each.answer.close()


def start(client: FlaskClient, opened: list[Live], key: str | None = None, **changes: Any) -> Live:
    headers = {"Idempotency-Key": key} if key else {}
    opened.append(Live(client.post("/v1/completions", json={**BODY, **changes}, headers=headers)))
    return opened[-1]


def choice(chunk: Any) -> tuple[int, str, str | None]:
    (one,) = chunk["choices"]
    assert one["logprobs"] is None
    return one["index"], one["text"], one["finish_reason"]


def test_a_text_comes_in_chunks_and_ends_with_done(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    stream = start(client, opened)
    taken = claim(store)
    step(store, taken, text_piece(" upon"), num_tokens=1)
    first = stream.next()
    assert first.pop("choices") == [{"text": " upon", "index": 0, "logprobs": None, "finish_reason": None}]
    assert first == {
        "id": taken.job.id,
        "object": "text_completion",
        "created": int(taken.job.created_at),
        "model": MODEL,
        "system_fingerprint": taken.job.fingerprint,
    }
    assert stream.answer.headers["Location"] == f"/jobs/{taken.job.id}"
    finish(store, taken, " upon a time")
    *chunks, end = stream.rest()
    assert end == "[DONE]"
    assert "".join(choice(chunk)[1] for chunk in chunks) == " a time"
    assert [choice(chunk)[2] for chunk in chunks][-1] == "length"


def test_the_usage_comes_last_and_only_where_it_is_asked_for(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    stream = start(client, opened, **USAGE)
    taken = claim(store)
    finish(store, taken, "ab")
    *chunks, usage, end = stream.rest()
    assert end == "[DONE]"
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert usage["choices"] == []
    prompt = taken.job.num_prompt_tokens
    assert usage["usage"] == {"prompt_tokens": prompt, "completion_tokens": 2, "total_tokens": prompt + 2}


def test_every_choice_begins_with_the_prompt_where_it_is_to_be_repeated(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    stream = start(client, opened, n=2, echo=True)
    taken = claim(store)
    step(store, taken, text_piece(" a", row=1), num_tokens=1)
    assert choice(stream.next()) == (1, "Once a", None)
    finish(store, taken, " b", " ac")
    texts = {0: "", 1: "Once a"}
    for chunk in stream.rest()[:-1]:
        index, text, _ = choice(chunk)
        texts[index] += text
    assert texts == {0: "Once b", 1: "Once ac"}


def test_a_job_that_another_worker_runs_again_is_not_told_twice(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    stream = start(client, opened)
    step(store, claim(store), text_piece("abc"), num_tokens=1)
    assert choice(stream.next())[1] == "abc"
    let_pass(store, 11)
    assert store.reap().requeued == 1
    again = claim(store)
    step(store, again, text_piece("ab"), num_tokens=1)
    step(store, again, text_piece("cd", 2), num_tokens=2)
    assert choice(stream.next())[1] == "d"
    finish(store, again, "abcde")
    assert "".join(choice(chunk)[1] for chunk in stream.rest()[:-1]) == "e"


def test_another_text_than_was_told_is_an_error(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    stream = start(client, opened)
    step(store, claim(store), text_piece("abc"), num_tokens=1)
    stream.next()
    let_pass(store, 11)
    store.reap()
    finish(store, claim(store), "abX and more")
    (error,) = stream.rest()
    assert (error["error"]["code"], error["error"]["type"]) == ("worker_lost", "server_error")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(status=JobStatus.FAILED, error=JobError(code="engine_error", detail="It broke.")),
        Outcome(status=JobStatus.CANCELED),
    ],
)
def test_a_job_without_a_result_ends_in_an_error_and_without_done(
    client: FlaskClient, store: JobStore, opened: list[Live], outcome: Outcome
) -> None:
    stream = start(client, opened)
    taken = claim(store)
    step(store, taken, text_piece("abc"), num_tokens=1)
    stream.next()
    store.finish(WORKER, taken.job.id, taken.attempt, outcome)
    (error,) = stream.rest()
    expected = outcome.error.code if outcome.error else "canceled"
    assert error["error"]["code"] == expected
    assert set(error["error"]) == {"message", "type", "param", "code"}


def test_a_job_that_cannot_be_read_any_more_ends_in_an_error(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    stream = start(client, opened)
    job_id = claim(store).job.id
    store.client.delete(f"{store.namespace}:job:{job_id}")
    (error,) = stream.rest()
    assert error["error"]["code"] == "job_not_found"


@pytest.mark.parametrize("key", [None, "k"])
def test_a_drain_ends_the_stream_with_an_error_and_its_job_where_nobody_can_come_back(
    app: Flask, store: JobStore, opened: list[Live], key: str | None
) -> None:
    stream = start(app.test_client(), opened, key)
    taken = claim(store)
    step(store, taken, text_piece("abc"), num_tokens=1)
    stream.next()
    app.extensions[EXTENSION].drain()
    (error,) = stream.rest()
    assert error["error"]["code"] == "draining"
    stream.answer.close()
    assert store.get(taken.job.id).cancel_requested is (key is None)


def test_a_stream_that_is_asked_for_again_is_told_from_the_start(
    client: FlaskClient, store: JobStore, opened: list[Live]
) -> None:
    first = start(client, opened, "k")
    finish(store, claim(store), "abc")
    second = start(client, opened, "k")
    assert second.answer.headers["Idempotent-Replayed"] == "true"
    texts = ["".join(choice(chunk)[1] for chunk in each.rest()[:-1]) for each in (first, second)]
    assert texts == ["abc", "abc"]


def test_a_silent_stream_is_kept_alive_by_comments(
    client: FlaskClient, opened: list[Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_stream, "HEARTBEAT_SECONDS", 0.01)
    stream = start(client, opened)
    pieces = stream.answer.iter_encoded()
    assert [next(pieces) for _ in range(3)] == [b":\n\n"] * 3


def test_a_closed_stream_gives_its_seat_back(app: Flask, store: JobStore, opened: list[Live]) -> None:
    metrics = app.extensions[EXTENSION].metrics
    stream = start(app.test_client(), opened)
    assert metrics.registry.get_sample_value("neoserve_open_streams") == 1
    stream.answer.close()
    wait_until(
        lambda: metrics.registry.get_sample_value("neoserve_open_streams") == 0, "the stream is closed"
    )
