"""The harness itself: a proxy that breaks what it should, a checker that sees what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from tasks.jobs.connection import connect
from tasks.jobs.models import JobStatus, Row
from tasks.jobs.protocol import Outcome
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.faults.checker import Checker
from tests.faults.ledger import Ledger, Promise
from tests.faults.proxy import Proxy
from tests.services import RealServer
from tests.waiting import wait_until


@pytest.fixture
def proxy(session_server: RealServer, redis_url: str) -> Iterator[Proxy]:
    proxy = Proxy(session_server.port)
    yield proxy
    proxy.close()


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


def test_the_checker_counts_what_is_lost_doubled_and_run_again(real_client: redis.Redis) -> None:
    store, ledger = JobStore(real_client), Ledger()
    right = Promise(job_id="right", prompt="Once upon a time", num_tokens=3, seed=7)
    for name in ("right", "wrong", "stuck", "vanished"):
        ledger.accepted(replace(right, job_id=name))
        if name != "vanished":
            store.submit(make_new_job(name), max_queued=10)
    for name, text in (("right", right.expected), ("wrong", right.expected * 2)):
        claim = store.claim_next("worker", "fp-test", name)
        assert claim is not None
        assert claim.job.id == name
        row = Row(text=text, finish_reason="length", num_tokens=3)
        store.finish("worker", name, 1, Outcome(status=JobStatus.SUCCEEDED, rows=(row,), num_tokens=3))
    store.claim_next("worker", "fp-test", "again")
    store.release("worker", "stuck", 1)
    store.claim_next("worker", "fp-test", "and again")
    tally = Checker(store, ledger).tally()
    assert (tally.accepted, tally.succeeded, tally.lost, tally.doubled) == (4, 2, 2, 1)
    assert (tally.reruns, tally.needless) == (1, 1)
    assert Checker(store, ledger).tally({"stuck": 1}).needless == 0


def test_the_proxy_leaves_no_thread(session_server: RealServer) -> None:
    before = threading.active_count()
    proxy = Proxy(session_server.port)
    with connect(proxy.url) as client:
        client.ping()
        proxy.hold(to_server=True, to_client=True)
        proxy.close()
    assert threading.active_count() == before
