"""A network that can be broken breaks as it should, and heals."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
import redis

from tasks.jobs.connection import connect
from tests.proxy import Proxy
from tests.waiting import wait_until


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    with Proxy(redis_url) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: Proxy) -> Iterator[redis.Redis]:
    with connect(proxy.url, socket_timeout=0.3) as client:
        client.ping()
        yield client


def test_what_is_held_on_its_way_to_the_server_arrives_after_the_release(
    proxy: Proxy, through: redis.Redis, real_client: redis.Redis
) -> None:
    proxy.hold(to_server=True)
    with pytest.raises(redis.TimeoutError):
        through.set("late", "1")
    assert real_client.get("late") is None
    proxy.release()
    wait_until(lambda: real_client.get("late") == "1", "the command arrives")


@pytest.mark.parametrize("break_it", [lambda proxy: proxy.hold(to_client=True), Proxy.drop_next_reply])
def test_a_reply_that_is_held_or_dropped_leaves_its_command_done(
    break_it: object, proxy: Proxy, through: redis.Redis, real_client: redis.Redis
) -> None:
    assert callable(break_it)
    break_it(proxy)
    with pytest.raises((redis.TimeoutError, redis.ConnectionError)):
        through.set("done", "1")
    assert real_client.get("done") == "1"


def test_a_buried_connection_is_silent_and_a_new_one_works(proxy: Proxy, through: redis.Redis) -> None:
    proxy.bury()
    with pytest.raises(redis.TimeoutError):
        through.ping()
    assert through.ping(), "on a new connection"


def test_a_cut_ends_connections(proxy: Proxy, through: redis.Redis) -> None:
    with through.pubsub() as pubsub:
        pubsub.subscribe("anything")
        proxy.cut()
        with pytest.raises(redis.ConnectionError):
            wait_until(lambda: pubsub.get_message(timeout=0.1) and False, "it learns of the end")
    assert through.ping()


def test_delayed_replies_come_late_and_later_ones_do_not(proxy: Proxy, through: redis.Redis) -> None:
    proxy.delay_replies(0.5)
    with pytest.raises(redis.TimeoutError):
        through.ping()
    proxy.delay_replies(0)
    assert through.ping()


def test_the_way_through_keeps_user_password_and_database() -> None:
    with Proxy("redis://user:word@127.0.0.1:6379/3") as proxy:
        assert re.fullmatch(r"redis://user:word@127\.0\.0\.1:\d+/3", proxy.url)


def test_the_proxy_leaves_no_thread(redis_url: str) -> None:
    before = threading.active_count()
    with Proxy(redis_url) as proxy, connect(proxy.url) as client:
        client.ping()
        proxy.hold(to_server=True, to_client=True)
    assert threading.active_count() == before
