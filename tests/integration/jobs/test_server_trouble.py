"""The store when its server is full, restarts or forgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tasks.jobs.connection import connect
from tasks.jobs.errors import JobNotFound, StoreUnavailable
from tasks.jobs.keys import ended_channel
from tasks.jobs.listener import JobListener
from tasks.jobs.models import JobStatus
from tasks.jobs.protocol import FinishEntry, ReapReport
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.job_steps import WORKER, claim, claimed_ids, finish, step, submit, succeeded, text_piece
from tests.services import RealServer
from tests.waiting import wait_until


@pytest.fixture
def full_server(real_client: redis.Redis) -> Iterator[redis.Redis]:
    yield real_client
    real_client.config_set("maxmemory", 0)


def test_a_full_server_refuses_submits_but_lets_jobs_go_on(full_server: redis.Redis) -> None:
    store = JobStore(full_server)
    submit(store, "a")
    submit(store, "b")
    full_server.config_set("maxmemory", 1)
    keys = set(full_server.keys("*"))

    with pytest.raises(StoreUnavailable):
        submit(store, "c", idempotency_key="k")
    assert set(full_server.keys("*")) == keys

    taken = claim(store)
    assert step(store, taken, text_piece("text")).stored == (4,)
    assert finish(store, taken, "text, all of it")
    store.cancel("b")
    assert store.get("a").status == JobStatus.SUCCEEDED
    assert store.get("b").status == JobStatus.CANCELED
    store.reap()


def test_what_is_no_record_stops_no_reaper(store: JobStore) -> None:
    for id in ("broken", "healthy"):
        submit(store, id, deadline_seconds=0.1)
    key = f"{store.namespace}:job:broken"
    store.client.delete(key)
    store.client.rpush(key, "not a record")
    wait_until(lambda: store.reap().expired == 1, "the healthy job expires")
    assert store.num_queued() == 0
    with pytest.raises(JobNotFound):
        store.get("broken")


def test_a_thousand_jobs_whose_indexes_were_deleted_are_put_back_in_their_order(store: JobStore) -> None:
    ids = [submit(store).id for _ in range(1000)]
    store.client.delete(f"{store.namespace}:queue:{FINGERPRINT}:normal", f"{store.namespace}:queued")
    assert store.reap() == ReapReport(restored=1000, num_queued=1000)
    assert claimed_ids(store) == ids


def test_bytes_that_are_no_text_end_no_thread(store: JobStore, redis_url: str) -> None:
    listener = JobListener(redis_url)
    listener.start()
    wait_until(lambda: listener.connected, "the listener is connected")
    with listener.watch("a") as waiter, redis.Redis.from_url(redis_url) as raw:
        raw.zadd(f"{store.namespace}:due", {b"\xff\xfe": 0})
        raw.zadd(f"{store.namespace}:queued", {b"\xff\xfe": 0})
        assert store.oldest_queued(1)
        assert store.reap().trimmed == 1
        raw.publish(ended_channel(store.namespace), b"\xff\xfe")
        raw.publish(ended_channel(store.namespace), b"a")
        assert waiter.wait(5)
    listener.stop()


def test_a_server_that_forgot_the_scripts_gets_them_again(store: JobStore) -> None:
    submit(store, "a")
    store.client.script_flush()
    assert claim(store).job.id == "a"


def test_a_server_that_forgot_the_scripts_gets_them_again_when_jobs_end_together(store: JobStore) -> None:
    for job_id in ("a", "b"):
        submit(store, job_id)
        claim(store)
    store.client.script_flush()
    ends = [FinishEntry(job_id=job_id, attempt=1, outcome=succeeded("text")) for job_id in ("a", "b")]
    assert store.finish_all(WORKER, ends) == [True, True]


def test_a_restarted_server_has_another_run_id_and_the_jobs(own_server: RealServer) -> None:
    with connect(own_server.url) as client:
        store = JobStore(client)
        run_id = store.server_run_id()
        assert run_id == store.server_run_id() != ""
        submit(store, "a")
        taken = claim(store)
        own_server.shut_down()
        with pytest.raises(StoreUnavailable):
            store.get("a")
        own_server.start()
        assert store.server_run_id() != run_id
        assert finish(store, taken)
        assert store.get("a").status == JobStatus.SUCCEEDED
