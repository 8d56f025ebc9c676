"""Waking waiters on a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic

import pytest
import redis

from tasks.jobs.connection import connect
from tasks.jobs.keys import ended_channel
from tasks.jobs.listener import JobListener
from tasks.jobs.store import JobStore
from tests.job_steps import submit
from tests.services import RealServer
from tests.waiting import wait_until


@pytest.fixture
def listener(redis_url: str) -> Iterator[JobListener]:
    listener = JobListener(redis_url)
    listener.start()
    wait_until(lambda: listener.connected, "the listener is connected")
    yield listener
    listener.stop()


def test_a_waiter_is_woken_when_its_job_ends(listener: JobListener, store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    with listener.watch("a") as waiter, listener.watch("b") as other:
        store.cancel("a")
        assert waiter.wait(5)
        assert not other.wait(0)


def test_a_waiter_is_told_how_its_job_ended(listener: JobListener, store: JobStore) -> None:
    submit(store, "a", text='quotes " and umlaut ü and emoji 😀')
    with listener.watch("a") as waiter:
        store.cancel("a")
        assert waiter.wait(5)
        assert waiter.ended() == store.get("a")


@pytest.mark.parametrize("message", ["a", "a ", "a {", 'a ["id"]', 'a ["id","a"]', "a 5"])
def test_what_others_publish_is_a_hint_and_no_more(
    listener: JobListener, store: JobStore, message: str
) -> None:
    with listener.watch("a") as waiter:
        store.client.publish(ended_channel(store.namespace), message)
        assert waiter.wait(5)
        assert waiter.ended() is None


def test_all_waiters_of_a_job_are_woken(listener: JobListener, store: JobStore) -> None:
    submit(store, "a")
    with listener.watch("a") as one, listener.watch("a") as two:
        store.cancel("a")
        assert one.wait(5)
        assert two.wait(5)


def test_a_hint_that_came_before_the_wait_is_not_missed(listener: JobListener, store: JobStore) -> None:
    submit(store, "a")
    submit(store, "b")
    with listener.watch("a") as waiter, listener.watch("b") as later:
        store.cancel("a")
        store.cancel("b")
        assert later.wait(5)
        assert waiter.wait(0)


def test_a_wait_ends_without_a_hint(listener: JobListener) -> None:
    with listener.watch("a") as waiter:
        assert not waiter.wait(0.01)


def test_hundreds_of_waiters_share_one_connection(
    listener: JobListener, store: JobStore, real_client: redis.Redis
) -> None:
    ids = [submit(store).id for _ in range(300)]
    ready = threading.Barrier(301)
    woken: list[bool] = []

    def wait_for(job_id: str) -> None:
        with listener.watch(job_id) as waiter:
            ready.wait(10)
            woken.append(waiter.wait(10))

    threads = [threading.Thread(target=wait_for, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    ready.wait(10)
    for id in ids:
        store.cancel(id)
    for thread in threads:
        thread.join(15)
    assert woken.count(True) == 300
    assert len(real_client.client_list(_type="pubsub")) == 1


def test_a_killed_connection_comes_back_and_its_waiters_look_again(
    listener: JobListener, store: JobStore, real_client: redis.Redis
) -> None:
    submit(store, "missed")
    submit(store, "later")
    for _ in range(3):
        with listener.watch("missed") as waiter:
            (connection,) = real_client.client_list(_type="pubsub")
            real_client.client_kill_filter(_id=connection["id"])
            assert waiter.wait(5), "a lost connection is a reason to look at the record"
        wait_until(lambda: real_client.client_list(_type="pubsub"), "the listener is back")
        wait_until(lambda: listener.connected, "the listener says so")
    with listener.watch("later") as waiter:
        waiter.wait(0)
        store.cancel("later")
        assert waiter.wait(5)


def test_without_a_server_waiters_look_every_second_and_the_listener_comes_back(
    own_server: RealServer,
) -> None:
    listener = JobListener(own_server.url)
    listener.start()
    wait_until(lambda: listener.connected, "the listener is connected")
    own_server.stop()
    wait_until(lambda: not listener.connected, "the listener notices")
    with listener.watch("a") as waiter:
        waiter.wait(0)
        began = monotonic()
        waiter.wait(30)
        assert monotonic() - began < 2
        own_server.start()
        wait_until(lambda: listener.connected, "the listener is back")
        with connect(own_server.url) as client:
            store = JobStore(client)
            submit(store, "a")
            waiter.wait(0)
            store.cancel("a")
        assert waiter.wait(5)
    listener.stop()


def test_a_server_that_falls_silent_is_noticed(
    own_server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.jobs.connection.HEALTH_CHECK_SECONDS", 0.5)
    listener = JobListener(own_server.url)
    listener.start()
    wait_until(lambda: listener.connected, "the listener is connected")
    own_server.pause()
    wait_until(lambda: not listener.connected, "the listener notices")
    own_server.resume()
    wait_until(lambda: listener.connected, "the listener is back")
    listener.stop()


def test_stopping_wakes_everybody(redis_url: str) -> None:
    listener = JobListener(redis_url)
    listener.start()
    with listener.watch("a") as waiter:
        listener.stop()
        assert waiter.wait(0)
    listener.stop()
