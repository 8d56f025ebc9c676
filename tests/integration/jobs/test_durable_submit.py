"""Submits that are answered when the server's disk has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tasks.jobs.connection import connect
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import NotDurable, QueueFull, StoreUnavailable
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.services import RealServer, required_valkey


@pytest.fixture(scope="module")
def durable_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    folder: Path = tmp_path_factory.mktemp("durable")
    server = RealServer(required_valkey(), folder, "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(durable_server: RealServer) -> Iterator[redis.Redis]:
    with connect(durable_server.url) as client:
        client.config_set("appendonly", "yes")
        client.config_set("appendfsync", "always")
        client.flushall()
        client.config_resetstat()
        yield client


@pytest.fixture
def durable(client: redis.Redis) -> JobStore:
    return JobStore(client, durable=True)


def num_waits(client: redis.Redis) -> int:
    stats = client.info("commandstats")
    return int(stats.get("cmdstat_waitaof", {"calls": 0})["calls"])


def submit(store: JobStore, key: str | None = None) -> str:
    return store.submit(make_new_job(idempotency_key=key), max_queued=10).job.id


def test_a_submit_waits_for_the_disk(client: redis.Redis, durable: JobStore) -> None:
    submit(durable)
    assert num_waits(client) == 2  # Can the server do it at all? Only the first one asks.
    submit(durable)
    assert num_waits(client) == 3
    assert durable.num_queued() == 2


def test_a_plain_submit_does_not(client: redis.Redis) -> None:
    submit(JobStore(client))
    assert num_waits(client) == 0


def test_a_job_found_by_its_key_is_on_disk_too(client: redis.Redis, durable: JobStore) -> None:
    """It may have been recorded by a call that was not answered because the disk was slow."""
    job_id = submit(JobStore(client), "key")
    assert submit(durable, "key") == job_id
    assert num_waits(client) == 2


def test_a_refused_submit_waits_for_nothing(client: redis.Redis, durable: JobStore) -> None:
    durable.check_durability()
    with pytest.raises(QueueFull):
        durable.submit(make_new_job(), max_queued=0)
    assert num_waits(client) == 1


def test_a_disk_that_does_not_take_the_job_in_time_is_no_success(
    client: redis.Redis, durable: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job may be recorded; its key finds it later."""
    durable.check_durability()
    client.config_set("appendfsync", "no")
    monkeypatch.setattr("tasks.jobs.durability.DISK_SECONDS", 0.2)
    with pytest.raises(StoreUnavailable, match="disk"):
        submit(durable, "key")
    assert durable.num_queued() == 1

    client.config_set("appendfsync", "always")
    submit(durable, "key")
    assert durable.num_queued() == 1


def test_a_server_that_never_syncs_is_refused(
    client: redis.Redis, durable: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.config_set("appendfsync", "no")
    monkeypatch.setattr("tasks.jobs.durability.DISK_SECONDS", 0.2)
    with pytest.raises(NotDurable):
        submit(durable)
    assert durable.num_queued() == 0


def test_a_server_is_not_believed_that_has_every_write_on_disk_at_once(
    client: redis.Redis, durable: JobStore
) -> None:
    """With everysec some do (Redis 7.4, Valkey 9.1), others wait as they should; both are told apart."""
    client.config_set("appendfsync", "everysec")
    with client.client() as connection:
        taken = [connection.set("a", "") and connection.waitaof(1, 0, 4000)[0] for _ in range(2)]
        assert taken == [1, 1]
        connection.set("a", "")
        too_early = connection.waitaof(1, 0, 1)[0] == 1
    if too_early:
        with pytest.raises(NotDurable, match="appendfsync always"):
            durable.check_durability()
    else:
        durable.check_durability()


def test_without_an_append_only_file_nothing_is_recorded(client: redis.Redis, durable: JobStore) -> None:
    client.config_set("appendonly", "no")
    with pytest.raises(NotDurable, match="appendonly"):
        durable.check_durability()
    with pytest.raises(NotDurable):
        submit(durable)
    assert durable.num_queued() == 0

    client.config_set("appendonly", "yes")
    submit(durable)


def test_a_server_that_loses_its_append_only_file_is_noticed(client: redis.Redis, durable: JobStore) -> None:
    submit(durable)
    client.config_set("appendonly", "no")
    for _ in range(2):
        with pytest.raises(NotDurable):
            submit(durable)
    assert durable.num_queued() == 2  # The second of them was refused before it was recorded.


def test_the_callers_time_limit_holds_for_the_disk_as_well(
    durable_server: RealServer, durable: JobStore
) -> None:
    submit(durable)
    durable_server.pause()
    try:
        with time_limit(0.2), pytest.raises(StoreUnavailable):
            submit(durable)
    finally:
        durable_server.resume()
