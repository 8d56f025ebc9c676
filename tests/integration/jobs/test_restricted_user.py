"""A user of the server that may do nothing but what the job store needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tasks.jobs.attendance import Attendance
from tasks.jobs.connection import connect
from tasks.jobs.event_hub import EventHub
from tasks.jobs.events import START, EventLog
from tasks.jobs.listener import JobListener
from tasks.jobs.store import JobStore
from tests.factories import make_card
from tests.job_steps import WORKER, claim, finish, step, submit, text_piece
from tests.time_travel import let_pass
from tests.waiting import wait_until


@pytest.fixture
def restricted_url(redis_url: str, real_client: redis.Redis) -> Iterator[str]:
    rules = ["on", ">secret", "~neoserve:*", "&neoserve:*", "+@all", "-@admin", "-@dangerous"]
    real_client.execute_command("ACL", "SETUSER", "restricted", *rules)
    yield redis_url.replace("redis://", "redis://restricted:secret@")
    real_client.execute_command("ACL", "DELUSER", "restricted")


def test_the_whole_life_of_a_job_needs_no_more_than_its_own_keys(
    restricted_url: str, real_client: redis.Redis
) -> None:
    listener = JobListener(restricted_url)
    listener.start()
    wait_until(lambda: listener.connected, "the listener is connected")
    with connect(restricted_url) as client, listener.watch("a") as waiter:
        store = JobStore(client)
        store.register_model(make_card(), "{}", WORKER, slots=1)
        submit(store, "a", idempotency_key="k")
        claim(store)
        let_pass(JobStore(real_client), 11)
        assert store.reap().requeued == 1
        taken = claim(store)
        step(store, taken, text_piece("te"))
        waiter.wait(0)
        assert finish(store, taken, "text")
        assert waiter.wait(5)
        assert store.get("a").rows[0].text == "text"
        assert store.server_run_id() == "", "INFO is forbidden to this user"
        assert store.stats().num_held == store.num_queued() == 0
    listener.stop()


def test_streams_need_no_more_either(restricted_url: str) -> None:
    with connect(restricted_url) as client, connect(restricted_url) as reading:
        store = JobStore(client)
        attendance = Attendance(store)
        hub = EventHub(reading, EventLog(client))
        hub.start()
        submit(store, "a")
        with hub.follow("a", START) as feed:
            wait_until(lambda: not feed.read(0).events and hub.serves(feed), "the stream is read")
            assert finish(store, claim(store), "text")
            assert [event.kind for event in feed.read(10).events] == ["started", "token", "done"]
        attendance.attend([("a", "one"), ("a", "other")])
        assert [attendance.leave("a", token, hung_up=True) for token in ("one", "other")] == [1, 0]
        hub.stop()
