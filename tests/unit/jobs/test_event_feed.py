"""A reader's way through a stream: brought what is new, or looking for itself, it gets every event once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tasks.jobs import event_feed
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.event_feed import Feed
from tasks.jobs.event_hub import EventHub
from tasks.jobs.events import ID_PATTERN, MAX_NUMBER, START, Chunk, EventKind, EventLog, decode_event, order
from tasks.jobs.keys import events_key
from tasks.jobs.store import JobStore
from tests.job_steps import read_texts
from tests.waiting import wait_until

JOB = "job_1"


@pytest.fixture
def log(store: JobStore) -> EventLog:
    return EventLog(store.client)


@pytest.fixture
def hub(store: JobStore, log: EventLog) -> Iterator[EventHub]:
    hub = EventHub(store.client, log)
    hub.start()
    yield hub
    hub.stop()


def add(store: JobStore, *texts: str, job_id: str = JOB) -> list[str]:
    """Their ids."""
    return [
        store.client.xadd(
            events_key("neoserve", job_id), {"event": "token", "attempt": 1, "index": 0, "text": each}
        )
        for each in texts
    ]


def test_a_feed_reads_what_was_there_and_what_comes(store: JobStore, hub: EventHub) -> None:
    add(store, "a", "b")
    with hub.follow(JOB, START) as feed:
        assert read_texts(feed, 2) == ["a", "b"]
        wait_until(lambda: hub.serves(feed), "the feed is served")
        add(store, "c")
        assert read_texts(feed, 1) == ["c"]
        add(store, "d", "e")
        assert read_texts(feed, 2) == ["d", "e"]


def test_a_feed_of_a_job_that_does_not_exist_yet_waits_for_it(store: JobStore, hub: EventHub) -> None:
    with hub.follow(JOB, START) as feed:
        assert not feed.read(0.01).events
        add(store, "a")
        assert read_texts(feed, 1) == ["a"]


def test_readers_of_one_job_get_the_same_wherever_they_begin(store: JobStore, hub: EventHub) -> None:
    ids = add(store, *"abcdef")
    with (
        hub.follow(JOB, START) as first,
        hub.follow(JOB, ids[2]) as second,
        hub.follow(JOB, ids[-1]) as third,
    ):
        assert read_texts(second, 3) == list("def")
        add(store, "g")
        assert read_texts(third, 1) == ["g"]
        assert read_texts(first, 7) == list("abcdefg")
        assert read_texts(second, 1) == ["g"]
        add(store, "h")
        for feed in (first, second, third):
            assert read_texts(feed, 1) == ["h"]


def test_jobs_do_not_get_each_others_events(store: JobStore, hub: EventHub) -> None:
    with hub.follow("job_1", START) as one, hub.follow("job_2", START) as other:
        add(store, "a", job_id="job_1")
        add(store, "b", job_id="job_2")
        assert read_texts(one, 1) == ["a"]
        assert read_texts(other, 1) == ["b"]


def test_a_slow_reader_keeps_little_and_misses_nothing(
    store: JobStore, hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "MAX_BUFFERED", 5)
    monkeypatch.setattr(event_feed, "MAX_READ", 7)
    texts = [str(number) for number in range(100)]
    with hub.follow(JOB, START) as slow, hub.follow(JOB, START) as quick:
        for feed in (slow, quick):
            assert not feed.read(0).events
            wait_until(lambda feed=feed: hub.serves(feed), "the feed is served")  # type: ignore[misc]
        add(store, *texts)
        assert read_texts(quick, 100) == texts
        assert len(slow._buffer) <= 5
        assert read_texts(slow, 100) == texts


def test_a_feed_without_a_running_hub_looks_for_itself(
    store: JobStore, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "LOOK_WHILE_AWAY_SECONDS", 0.01)
    with EventHub(store.client, log).follow(JOB, START) as feed:
        assert not feed.read(0).events
        add(store, "a")
        assert read_texts(feed, 1) == ["a"]
        add(store, "b")
        assert read_texts(feed, 1) == ["b"]


def test_a_server_that_lost_what_a_reader_has_makes_it_begin_anew(store: JobStore, hub: EventHub) -> None:
    ids = add(store, "a", "b")
    with hub.follow(JOB, START) as feed:
        assert read_texts(feed, 2) == ["a", "b"]
        store.client.xdel(events_key("neoserve", JOB), ids[1])
        feed.lost()  # What the hub says when its connection is gone.
        batch = feed.read(0)
        assert batch.anew
        assert [event.text for event in batch.events] == ["a"]
        add(store, "B")
        assert read_texts(feed, 1) == ["B"]


@pytest.mark.parametrize("after", ["5-0", "9999999999999-3"])
def test_a_place_that_the_stream_does_not_have_is_its_start(
    store: JobStore, hub: EventHub, after: str
) -> None:
    add(store, "a", "b")
    with hub.follow(JOB, after) as feed:
        batch = feed.read(0)
    assert batch.anew
    assert [event.text for event in batch.events] == ["a", "b"]
    assert feed.resumed is None


def test_a_place_in_the_stream_names_its_event(store: JobStore, hub: EventHub) -> None:
    ids = add(store, "a", "b")
    with hub.follow(JOB, ids[0]) as feed:
        assert [event.text for event in feed.read(0).events] == ["b"]
    assert feed.resumed is not None
    assert feed.resumed.text == "a"


def test_what_others_were_given_before_a_reader_joins_them_is_not_missed(
    store: JobStore, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after the reader has looked, and is handed out before the reader is attached."""
    hub = EventHub(store.client, log)
    monkeypatch.setattr(event_feed, "LOOK_WHILE_AWAY_SECONDS", 0.01)
    with hub.follow(JOB, START) as first, hub.follow(JOB, START) as second:
        first.read(0)
        look = log.read

        def look_and_be_late(*arguments: Any) -> Chunk:
            chunk = look(*arguments)
            monkeypatch.setattr(log, "read", look)
            add(store, "a")
            hub._adopt()
            hub._hand_out(store.client.xread({events_key("neoserve", JOB): START}))
            return chunk

        monkeypatch.setattr(log, "read", look_and_be_late)
        assert read_texts(second, 1) == ["a"]
        assert read_texts(first, 1) == ["a"]


def test_an_answer_for_those_who_have_left_is_not_for_those_who_have_come(
    store: JobStore, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows the job now is elsewhere in its stream."""
    hub = EventHub(store.client, log)
    monkeypatch.setattr(event_feed, "LOOK_WHILE_AWAY_SECONDS", 0.01)
    with hub.follow(JOB, START) as feed:
        feed.catch_up()
        add(store, "a", "b")
        late = store.client.xread({events_key("neoserve", JOB): START})
        hub._hand_out([(key, entries[1:]) for key, entries in late])
        assert read_texts(feed, 2) == ["a", "b"]


def test_wake_ends_a_wait(hub: EventHub) -> None:
    with hub.follow(JOB, START) as feed:
        feed.read(0)
        wait_until(lambda: hub.serves(feed), "the feed is served")
        thread = threading.Thread(target=lambda: feed.read(60))
        thread.start()
        feed.wake()
        thread.join(10)
        assert not thread.is_alive()


def test_who_has_left_is_followed_no_more(store: JobStore, hub: EventHub) -> None:
    with hub.follow(JOB, START) as feed:
        feed.read(0)
    assert not hub.serves(feed)
    assert hub._channels == {}


def test_something_else_in_the_place_of_a_stream_is_no_stream(store: JobStore, log: EventLog) -> None:
    store.client.set(events_key("neoserve", JOB), "x")
    assert log.read(JOB, START, 10).events == ()


def test_a_store_that_is_away_is_said_and_nothing_is_skipped(
    store: JobStore, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def xrange(self, *_: object, **__: object) -> None:
            raise redis.ConnectionError("away")

    feed = Feed(EventHub(store.client, log), log, JOB, START)
    add(store, "a")
    monkeypatch.setattr(log, "_client", Away())
    with pytest.raises(StoreUnavailable):
        feed.read(0)
    monkeypatch.setattr(log, "_client", store.client)
    assert [event.text for event in feed.read(0).events] == ["a"]


@pytest.mark.parametrize(
    "fields", [{}, {"event": "token"}, {"event": "other", "attempt": "1"}, {"event": "token", "attempt": "x"}]
)
def test_what_others_write_into_a_stream_is_passed_over(fields: dict[str, str]) -> None:
    event = decode_event("1-0", fields)
    assert (event.id, event.kind) == ("1-0", EventKind.UNKNOWN)


def test_ids_are_recognized_and_ordered() -> None:
    for text in ("1795386982517-0", "9" * 19 + "-" + "9" * 19, f"1-{MAX_NUMBER}"):
        assert re.fullmatch(ID_PATTERN, text)
        assert max(order(text)) <= MAX_NUMBER
    too_large = ("1" * 20 + "-0", f"0-{MAX_NUMBER + 1}")
    for text in ("", "1", "1-", "-1", "a-0", "1-0 ", "1-0\n", "$", "+", *too_large):
        assert not re.fullmatch(ID_PATTERN, text)
    assert order("9-10") > order("9-9") > order("8-99")
