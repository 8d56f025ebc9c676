"""A limit for all that a thread asks, against servers that are never silent for long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.jobs.connection import connect
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.store import JobStore
from tests.proxy import Proxy


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    with Proxy(redis_url) as proxy:
        yield proxy


def test_many_short_silences_add_up(proxy: Proxy) -> None:
    """No reply takes as long as the socket's timeout; a hundred of them take much longer than the limit."""
    with connect(proxy.url) as client:
        store = JobStore(client)
        store.num_queued()
        proxy.delay_replies(0.1)
        with time_limit(1), pytest.raises(StoreUnavailable):
            any(store.num_queued() for _ in range(100))


def test_a_limit_that_is_over_lets_nothing_begin(proxy: Proxy) -> None:
    with connect(proxy.url) as client:
        store = JobStore(client)
        with time_limit(0), pytest.raises(StoreUnavailable):
            store.num_queued()
        assert store.num_queued() == 0


def test_the_limit_ends_with_its_block(proxy: Proxy) -> None:
    """Also for a connection that was made under it: its own timeouts are what they were."""
    with connect(proxy.url, max_connections=1) as client:
        store = JobStore(client)
        with time_limit(0.5):
            store.num_queued()
        proxy.delay_replies(0.7)
        assert store.num_queued() == 0


def test_an_inner_limit_replaces_the_outer_one(proxy: Proxy) -> None:
    with connect(proxy.url) as client:
        store = JobStore(client)
        with time_limit(0):
            with time_limit(10):
                assert store.num_queued() == 0
            with pytest.raises(StoreUnavailable):
                store.num_queued()
