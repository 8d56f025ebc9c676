"""The hub on a real server, whose connections break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tasks.jobs import event_hub
from tasks.jobs.connection import connect
from tasks.jobs.event_feed import Feed
from tasks.jobs.event_hub import EventHub
from tasks.jobs.events import START, EventLog
from tasks.jobs.keys import events_key
from tasks.jobs.store import JobStore
from tests.job_steps import read_texts
from tests.waiting import wait_until

NUM_JOBS = 20


@pytest.fixture
def hub(redis_url: str, real_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventHub]:
    monkeypatch.setattr(event_hub, "RECONNECT_SECONDS", 0.01)
    with connect(redis_url, max_connections=1) as client:
        hub = EventHub(client, EventLog(real_client))
        hub.start()
        yield hub
        hub.stop()


def add(client: redis.Redis, job_id: str, text: str) -> None:
    fields = {"event": "token", "attempt": 1, "index": 0, "text": text}
    client.xadd(events_key("neoserve", job_id), fields)  # type: ignore[arg-type]


def readers_in(client: redis.Redis) -> list[str]:
    return [each["id"] for each in client.client_list() if each["cmd"] == "xread"]


def test_a_killed_connection_costs_no_event(hub: EventHub, real_client: redis.Redis) -> None:
    with hub.follow("job_1", START) as feed:
        wait_until(lambda: not feed.read(0).events and hub.serves(feed), "the stream is read")
        for number in range(20):
            wait_until(lambda: readers_in(real_client), "the hub reads")
            real_client.client_kill_filter(_id=readers_in(real_client)[0])
            add(real_client, "job_1", str(number))
            assert read_texts(feed, 1) == [str(number)]
            wait_until(lambda: hub.connected, "the hub reads again")


def test_all_streams_are_read_by_one_connection(hub: EventHub, real_client: redis.Redis) -> None:
    job_ids = [f"job_{number}" for number in range(NUM_JOBS)]
    feeds = [Feed(hub, EventLog(real_client), job_id, START) for job_id in job_ids]
    for feed in feeds:
        feed.read(0)
    for text in ("a", "b"):
        for job_id in job_ids:
            add(real_client, job_id, f"{job_id} {text}")
        for feed in feeds:
            assert read_texts(feed, 1) == [f"{feed.job_id} {text}"]
    wait_until(lambda: all(map(hub.serves, feeds)), "all streams are read")
    wait_until(lambda: len(readers_in(real_client)) == 1, "one connection reads")
    for feed in feeds:
        hub.detach(feed)


def test_a_key_of_another_type_stops_nobody_else(
    hub: EventHub, real_client: redis.Redis, store: JobStore
) -> None:
    real_client.set(events_key("neoserve", "job_2"), "x")
    with hub.follow("job_1", START) as feed, hub.follow("job_2", START) as other:
        assert not other.read(0).events
        assert not feed.read(0).events
        add(real_client, "job_1", "a")
        assert read_texts(feed, 1) == ["a"]
