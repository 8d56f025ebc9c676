"""Connecting, and what a server that is away or unwilling looks like."""

from __future__ import annotations

from time import monotonic

import pytest
import redis
from redis.exceptions import ResponseError

from tasks.jobs.connection import absence, connect, redact
from tasks.jobs.errors import JobsError, StoreUnavailable
from tasks.jobs.parse import parse_redis_url
from tasks.jobs.script import unavailable_as_such
from tasks.jobs.settings import InvalidSetting, Settings
from tasks.jobs.store import JobStore
from tests.factories import make_new_job
from tests.services import free_port


def test_every_timeout_is_set_and_nothing_is_repeated() -> None:
    kwargs = connect("redis://127.0.0.1:6379/0", max_connections=7).connection_pool.connection_kwargs
    assert kwargs["socket_connect_timeout"] == 3
    assert kwargs["socket_timeout"] == 8
    assert kwargs["retry"].get_retries() == 0
    assert kwargs["decode_responses"] is True


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:secret@host:6379/1", "redis://***@host:6379/1"),
        ("rediss://user:s%40c@ret@host/0?password=secret", "rediss://***@host/0"),
    ],
)
def test_a_redacted_url_shows_no_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_a_server_that_is_away_is_reported_as_such_and_quickly() -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    store = JobStore(connect(url))
    began = monotonic()
    with pytest.raises(StoreUnavailable) as unavailable:
        store.submit(make_new_job(text="the prompt"), max_queued=1)
    assert monotonic() - began < 3
    assert "secret" not in str(unavailable.value)
    assert "the prompt" not in str(unavailable.value)


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("refused"),
        redis.TimeoutError("timed out"),
        redis.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.ReadOnlyError("You can't write against a read only replica."),
        ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        ResponseError("BUSY Redis is busy running a script."),
    ],
)
def test_what_passes_by_itself_is_unavailability(error: redis.RedisError) -> None:
    with pytest.raises(StoreUnavailable), unavailable_as_such():
        raise error


def test_a_mistake_is_not_unavailability() -> None:
    with pytest.raises(ResponseError), unavailable_as_such():
        raise ResponseError("ERR wrong number of arguments")


def test_every_error_has_its_own_code_and_a_message() -> None:
    kinds = JobsError.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.__doc__ for kind in kinds)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://redis",
        "redis://:s%2Fcret@[::1]:7000/",
        "rediss://user:secret@host/3?ssl_cert_reqs=none&db=2",
    ],
)
def test_a_redis_url_is_taken_as_it_is(url: str) -> None:
    assert parse_redis_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "http://:s3cret@redis",
        "redis://",
        "redis://:s3cret@/0",
        "redis:///s3cret",
        "redis://host:s3cret/0",
        "redis://:s3/cret@host:6379/0",
        "redis://[s3cret/0",
        "redis://s3cret#x@host/0",
        "redis://host:99999/0",
        "redis://host:0",
        "redis://host/s3cret",
        "redis://host/0?db=s3cret",
        "redis://host/0?s3cret=1",
        "redis://host/0?s3cret",
        "redis://host/0?socket_timeout=s3",
        "redis://host/0?ssl_certfile=s3",
    ],
)
def test_another_redis_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Settings.from_env({"REDIS_URL": url})
    assert str(refused.value).startswith("REDIS_URL cannot be used: ")
    assert "s3" not in str(refused.value)


def test_an_absent_server_is_one_line_without_the_password() -> None:
    port = free_port()
    url = f"redis://:secret@127.0.0.1:{port}/0"
    assert absence(connect(url), url) == (
        f"no Redis or Valkey answers at redis://***@127.0.0.1:{port}/0: waiting for it; "
        "start one or set REDIS_URL"
    )


def test_a_server_that_answers_is_not_absent(store_client: redis.Redis) -> None:
    assert absence(store_client, "redis://127.0.0.1:6379/0") is None
