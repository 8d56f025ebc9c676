"""Streams of events: what a reader is sent, step by step."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import job_stream
from api.app import create_app
from api.event_format import event
from api.job_events import JobEvents
from api.service import EXTENSION, Service
from api.settings import ApiSettings
from tasks.jobs import event_feed
from tasks.jobs.events import Event, EventKind
from tasks.jobs.keys import events_key
from tasks.jobs.models import JobError, JobStatus, Row
from tasks.jobs.protocol import Outcome
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.job_steps import claim, finish, step, text_piece
from tests.pace import take_all_slots
from tests.sse import ACCEPT, Reader, Sent, parse, parse_bytes
from tests.time_travel import let_pass
from tests.unit.api.fakes import LocalListener

BODY = {"text": "Once upon a time", "max_new_tokens": 10}
UNKNOWN = f"job_{'0' * 32}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing brings the events here, so feeds look for themselves; and they look at the record as often."""
    monkeypatch.setattr(event_feed, "LOOK_WHILE_AWAY_SECONDS", 0.01)
    monkeypatch.setattr(job_stream, "LOOK_SECONDS", 0.02)


@pytest.fixture
def service(app: Flask) -> Service:
    service: Service = app.extensions[EXTENSION]
    return service


def submit(client: FlaskClient, **changes: object) -> str:
    answer = client.post("/jobs", json={**BODY, **changes})
    assert answer.json is not None
    return str(answer.json["id"])


def get(client: FlaskClient, job_id: str, last_id: str | None = None) -> TestResponse:
    return client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": last_id} if last_id else {})


def read(client: FlaskClient, job_id: str, last_id: str | None = None) -> list[Sent]:
    """To its end."""
    answer = get(client, job_id, last_id)
    assert answer.status_code == 200
    return parse_bytes(answer.data)


class Live:
    """A stream that is read event by event."""

    def __init__(self, answer: TestResponse) -> None:
        self.answer = answer
        self._events = parse(
            line for piece in answer.iter_encoded() for line in piece.decode().split("\n")[:-1]
        )

    def next(self, name: str) -> Sent:
        """The next event but for comments, which has that name."""
        sent = next(each for each in self._events if each.name)
        assert sent.name == name
        return sent

    def rest(self) -> list[str]:
        return [each.name for each in self._events if each.name]

    def close(self) -> None:
        self.answer.close()


@pytest.fixture
def streams() -> Iterator[list[Live]]:
    opened: list[Live] = []
    yield opened
    for each in opened:
        each.close()


def follow(client: FlaskClient, job_id: str, streams: list[Live]) -> Live:
    streams.append(Live(get(client, job_id)))
    return streams[-1]


def test_an_event_is_one_line_of_ascii_whatever_it_says() -> None:
    text = 'a\nb\r\u2028\u0085"é😀'
    sent = event("token", {"text": text}, "1-0")

    assert sent.startswith(b"event: token\nid: 1-0\ndata: {")
    assert sent.count(b"\n") == 4
    assert parse_bytes(sent) == [Sent("token", {"text": text}, "1-0")]


def test_a_reader_is_told_everything_in_order(
    client: FlaskClient, store: JobStore, streams: list[Live]
) -> None:
    take_all_slots(store)
    first, job_id = submit(client), submit(client)
    stream = follow(client, job_id, streams)
    assert stream.next("queued").data == {"job_id": job_id, "position": 2, "eta_s": None}
    client.delete(f"/jobs/{first}")
    assert stream.next("queued").data == {"job_id": job_id, "position": 1, "eta_s": None}
    taken = claim(store)
    assert stream.next("queued").data == {"job_id": job_id, "position": None, "eta_s": None}
    step(store, taken, text_piece("a\n"), num_tokens=1)
    started = stream.next("started")
    assert started.data == {"job_id": job_id, "attempt": 1}
    token = stream.next("token")
    assert token.data == {"text": "a\n", "index": 0}
    finish(store, taken, "a\nb")
    assert stream.next("token").data == {"text": "b", "index": 0}
    done = stream.next("done")
    assert done.data == {"job": client.get(f"/jobs/{job_id}").json}
    assert started.id
    assert token.id
    assert done.id
    assert stream.rest() == []


def test_another_attempt_begins_anew(client: FlaskClient, store: JobStore, streams: list[Live]) -> None:
    job_id = submit(client)
    stream = follow(client, job_id, streams)
    stream.next("queued")
    lost = claim(store)
    step(store, lost, text_piece("lost"), num_tokens=1)
    assert stream.next("started").data["attempt"] == 1
    stream.next("token")
    let_pass(store, 11)
    assert store.reap().requeued == 1
    assert stream.next("queued").data["position"] == 1
    again = claim(store)
    assert stream.next("queued").data["position"] is None
    step(store, again, text_piece("ag"), num_tokens=1)
    finish(store, again, "again")
    assert stream.next("started").data["attempt"] == 2
    assert stream.rest() == ["token", "token", "done"]


def test_an_ended_job_is_told_at_once(client: FlaskClient, store: JobStore) -> None:
    job_id = submit(client, num_return_sequences=2, do_sample=True)
    finish(store, claim(store), "ab", "cd")

    reader = Reader().take_all(read(client, job_id))

    assert reader.names == ["started", "token", "token", "done"]
    reader.check(str(BODY["text"]))


@pytest.mark.parametrize("seen", range(5))
def test_a_reader_goes_on_behind_what_it_has(client: FlaskClient, store: JobStore, seen: int) -> None:
    job_id = submit(client)
    taken = claim(store)
    step(store, taken, text_piece("ab"), num_tokens=1)
    step(store, taken, text_piece("cd", 2), num_tokens=2)
    finish(store, taken, "abcdef")
    everything = [sent for sent in read(client, job_id) if sent.name]
    assert [sent.name for sent in everything] == ["started", "token", "token", "token", "done"]

    rest = (
        [sent for sent in read(client, job_id, everything[seen - 1].id) if sent.name] if seen else everything
    )

    assert rest == everything[seen:]


def test_who_has_had_the_end_is_told_not_to_come_back(client: FlaskClient, store: JobStore) -> None:
    job_id = submit(client)
    finish(store, claim(store), "text")
    end = read(client, job_id)[-1].id
    answer = get(client, job_id, end)
    assert answer.status_code == 204
    assert "Content-Type" not in answer.headers

    store.client.delete(events_key(store.namespace, job_id))
    assert read(client, job_id)[-1].id == end
    assert get(client, job_id, end).status_code == 204


def test_a_stream_that_is_over_is_told_from_the_result(client: FlaskClient, store: JobStore) -> None:
    job_id = submit(client, num_return_sequences=2, do_sample=True)
    finish(store, claim(store), "ab", "cd")
    middle = next(sent.id for sent in read(client, job_id) if sent.name == "token")
    store.client.delete(events_key(store.namespace, job_id))

    for last_id in (None, middle):
        reader = Reader().take_all(read(client, job_id, last_id))
        assert reader.names == ["started", "token", "token", "done"]
        reader.check(str(BODY["text"]))


@pytest.mark.parametrize("with_stream", [True, False])
@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_job_without_a_result_ends_as_it_did(
    client: FlaskClient, store: JobStore, status: str, with_stream: bool
) -> None:
    """Also one that never began."""
    failed, unbegun = submit(client), submit(client)
    taken = claim(store)
    error = JobError(code="engine_failed", detail="It broke.") if status == "failed" else None
    rows = (Row(text="half", finish_reason="canceled", num_tokens=1),)
    step(store, taken, num_tokens=1)
    outcome = Outcome(status=JobStatus(status), rows=rows, error=error, num_tokens=1)
    assert store.finish("worker-1", failed, taken.attempt, outcome)
    client.delete(f"/jobs/{unbegun}")
    if not with_stream:
        store.client.delete(events_key(store.namespace, failed), events_key(store.namespace, unbegun))

    reader = Reader().take_all(read(client, failed))
    assert reader.names == ["started", "token", "done"]
    assert reader.job == client.get(f"/jobs/{failed}").json
    assert reader.text == "half"
    assert [sent.name for sent in read(client, unbegun) if sent.name] == ["done"]


def test_a_failure_before_its_start_was_told_still_begins(client: FlaskClient, store: JobStore) -> None:
    job_id = submit(client)
    taken = claim(store)
    rows = (Row(text="half", finish_reason="canceled", num_tokens=1),)
    error = JobError(code="engine_failed", detail="It broke.")
    assert store.finish(
        "worker-1", job_id, taken.attempt, Outcome(status=JobStatus.FAILED, rows=rows, error=error)
    )

    assert [sent.name for sent in read(client, job_id) if sent.name] == ["started", "token", "done"]


def test_what_the_server_has_lost_is_told_anew(
    client: FlaskClient, store: JobStore, streams: list[Live]
) -> None:
    """Its last second, as after a power cut; the worker brings it again."""
    job_id = submit(client)
    taken = claim(store)
    step(store, taken, text_piece("ab"), num_tokens=1)
    stream = follow(client, job_id, streams)
    stream.next("started")
    last = stream.next("token").id
    assert last
    store.client.xdel(events_key(store.namespace, job_id), last)
    store.client.hset(f"neoserve:job:{job_id}", "lengths", "0 ")
    step(store, taken, text_piece("ab"), num_tokens=1)
    finish(store, taken, "abc")

    names = [sent.name for sent in read(client, job_id, last) if sent.name]
    assert names == ["started", "token", "token", "done"]


def test_texts_that_are_void_begin_again_also_where_their_start_is_lost() -> None:
    told = JobEvents("job_1", attempt=1, describe=lambda error: {"code": error.code})
    token = Event("1-0", EventKind.TOKEN, attempt=1, text="a")
    assert [sent.name for sent in parse_bytes(told.recorded([token]))] == ["token"]
    told.forget()
    assert [sent.name for sent in parse_bytes(told.recorded([token]))] == ["started", "token"]


def test_an_end_of_which_the_stream_does_not_tell_is_seen_in_the_record(
    client: FlaskClient, store: JobStore, streams: list[Live]
) -> None:
    job_id = submit(client)
    stream = follow(client, job_id, streams)
    stream.next("queued")
    taken = claim(store)
    stream.next("queued")
    finish(store, taken, "text")
    store.client.delete(events_key(store.namespace, job_id))

    assert stream.rest() == ["started", "token", "done"]


@pytest.mark.parametrize(("how", "code"), [("delete", "job_not_found"), ("expire", "gone")])
def test_a_job_that_vanishes_is_an_error(
    client: FlaskClient, store: JobStore, streams: list[Live], how: str, code: str
) -> None:
    job_id = submit(client)
    stream = follow(client, job_id, streams)
    stream.next("queued")
    if how == "expire":
        store.client.set(f"neoserve:tombstone:{job_id}", "")
    store.client.delete(f"neoserve:job:{job_id}")

    problem = stream.next("error").data["problem"]
    assert problem["code"] == code
    assert problem["status"] == client.get(f"/jobs/{job_id}").status_code
    assert problem["request_id"] == stream.answer.headers["X-Request-Id"]
    assert stream.rest() == []


def test_a_silent_stream_is_kept_alive(
    client: FlaskClient, streams: list[Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_stream, "HEARTBEAT_SECONDS", 0.01)
    answer = get(client, submit(client))
    streams.append(Live(answer))
    pieces = answer.iter_encoded()
    assert next(pieces).startswith(b"event: queued")
    assert [next(pieces) for _ in range(3)] == [b":\n\n"] * 3


def test_a_drain_ends_a_stream_and_says_when_to_come_back(
    client: FlaskClient, service: Service, streams: list[Live]
) -> None:
    job_id = submit(client)
    stream = follow(client, job_id, streams)
    stream.next("queued")
    service.drain()
    assert stream.rest() == ["retry"]
    late = follow(client, job_id, streams)
    assert late.rest() == ["queued", "retry"]
    stream.close()
    assert service.metrics.registry.get_sample_value("neoserve_streams_total", {"end": "draining"}) == 1


@pytest.mark.parametrize(
    ("job_id", "status", "code"),
    [(UNKNOWN, 404, "job_not_found"), ("job_1", 404, "job_not_found"), ("gone", 410, "gone")],
)
def test_what_is_not_there_has_no_stream(
    client: FlaskClient, store: JobStore, job_id: str, status: int, code: str
) -> None:
    if job_id == "gone":
        job_id = submit(client, ttl_s=1)
        finish(store, claim(store), "text")
        let_pass(store, 2)

    for method in ("GET", "HEAD"):
        answer = client.open(f"/jobs/{job_id}/events", method=method)
        assert answer.status_code == status
    assert get(client, job_id).json["code"] == code  # type: ignore[index]


@pytest.mark.parametrize("last_id", ["1", "$", "abc", "0", "1-x", f"1-{2**64}"])
def test_an_id_that_never_was_one_is_refused(client: FlaskClient, last_id: str) -> None:
    answer = get(client, submit(client), last_id)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "invalid_header"


def test_head_opens_no_stream(client: FlaskClient, service: Service) -> None:
    answer = client.head(f"/jobs/{submit(client)}/events")
    assert (answer.status_code, answer.content_type) == (200, "text/event-stream")
    assert service.metrics.registry.get_sample_value("neoserve_streams_total", {"end": "gone"}) == 0


def test_who_takes_nothing_but_events_gets_them_from_predict(
    client: FlaskClient, store: JobStore, streams: list[Live]
) -> None:
    headers = {**ACCEPT, "Idempotency-Key": "k"}
    stream = Live(client.post("/predict", json=BODY, headers=headers))
    streams.append(stream)
    job_id = stream.next("queued").data["job_id"]
    assert stream.answer.headers["Location"] == f"/jobs/{job_id}"
    assert "Idempotent-Replayed" not in stream.answer.headers
    finish(store, claim(store), "text")
    assert stream.rest()[-1] == "done"

    again = client.post("/predict", json=BODY, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert parse_bytes(again.data)[-1].data["job"]["id"] == job_id


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/event-stream", ""])
def test_who_takes_json_as_gladly_gets_json(client: FlaskClient, accept: str) -> None:
    answer = client.post("/predict", json=BODY, headers={"Accept": accept})
    assert answer.status_code == 202
    assert answer.is_json


def test_a_refused_request_for_events_is_a_problem(client: FlaskClient, service: Service) -> None:
    answer = client.post("/predict", json={"text": ""}, headers=ACCEPT)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert service.metrics.registry.get_sample_value("neoserve_open_streams") == 0


def test_without_a_seat_nothing_is_recorded(
    app: Flask, store: JobStore, ring: RecordingRing, listener: LocalListener, streams: list[Live]
) -> None:
    small = create_app(ApiSettings(max_waiters=1), store=store, ring=ring, listener=listener).test_client()
    job_id = submit(small)
    first = follow(small, job_id, streams)
    refused = small.post("/predict", json=BODY, headers=ACCEPT)
    assert refused.status_code == 503
    assert refused.json is not None
    assert refused.json["code"] == "busy"
    assert refused.headers["Retry-After"]
    assert store.num_queued() == 1
    first.close()
    follow(small, job_id, streams).next("queued")


def test_a_store_that_goes_away_is_waited_for(
    client: FlaskClient, store: JobStore, streams: list[Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_stream, "PAUSE_SECONDS", 0.01)
    job_id = submit(client)
    stream = follow(client, job_id, streams)
    stream.next("queued")
    run, failures = store.client.execute_command, iter(range(20))

    def away(*arguments: object, **options: object) -> object:
        if arguments[0] in ("XRANGE", "EVALSHA") and next(failures, None) is not None:
            raise redis.ConnectionError("away")
        return run(*arguments, **options)

    taken = claim(store)
    monkeypatch.setattr(store.client, "execute_command", away)
    rest = threading.Thread(target=stream.rest)
    rest.start()
    rest.join(0.1)
    for _ in failures:
        pass
    finish(store, taken, "text")
    rest.join(10)
    assert not rest.is_alive()


def test_the_worker_is_told_that_somebody_reads(client: FlaskClient, store: JobStore) -> None:
    waits = client.post("/jobs", json=BODY).json
    assert waits is not None
    assert not store.get(waits["id"]).followed
    with get(client, waits["id"]):
        assert store.get(waits["id"]).followed
    with client.post("/predict", json=BODY, headers=ACCEPT) as answer:
        assert store.get(answer.headers["Location"].removeprefix("/jobs/")).followed
