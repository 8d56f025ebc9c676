"""Rings on a real server."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic

import pytest
import redis

from tasks.jobs.errors import RingFailed, StoreUnavailable
from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.jobs.ring import CeleryRing
from tests.services import RealServer, free_port, require_service, valkey_binary


def test_a_ring_is_one_small_json_message_in_the_queue(redis_url: str, real_client: redis.Redis) -> None:
    ring = CeleryRing(redis_url)
    assert ring.pending() == 0

    ring.ring("job-1")

    assert ring.pending() == 1
    (text,) = real_client.lrange(QUEUE_NAME, 0, -1)
    message = json.loads(text)
    assert message["headers"]["task"] == TASK_NAME
    assert message["headers"]["ignore_result"] is True
    assert message["content-type"] == "application/json"
    assert message["headers"]["argsrepr"] == "['job-1']"
    assert len(text) < 1500
    ring.close()


def test_a_ring_reaches_the_queue_of_a_server_that_lost_everything(
    redis_url: str, real_client: redis.Redis
) -> None:
    ring = CeleryRing(redis_url)
    ring.ring("before")
    real_client.flushall()
    ring.ring("after")
    assert ring.pending() == 1
    ring.close()


def test_deployments_with_different_namespaces_ring_apart(redis_url: str, real_client: redis.Redis) -> None:
    ring, other = CeleryRing(redis_url), CeleryRing(redis_url, "other")
    other.ring("job-1")
    assert (ring.pending(), other.pending()) == (0, 1)
    assert all(str(key).startswith("other:") for key in real_client.keys("*"))
    ring.close()
    other.close()


def test_ringing_at_a_server_that_is_away_fails_quickly() -> None:
    ring = CeleryRing(f"redis://:secret@127.0.0.1:{free_port()}/0")
    began = monotonic()
    with pytest.raises(RingFailed) as failed:
        ring.ring("job-1")
    with pytest.raises(StoreUnavailable):
        ring.pending()
    assert monotonic() - began < 3
    assert "secret" not in str(failed.value)
    ring.close()


def test_a_ring_that_failed_can_ring_again(redis_url: str, real_client: redis.Redis) -> None:
    ring = CeleryRing(redis_url)
    ring.ring("before")
    real_client.client_kill_filter(_type="normal", skipme=True)
    ring.ring("after")
    assert ring.pending() == 2
    ring.close()


def test_ringing_at_a_server_that_falls_silent_fails_within_seconds(tmp_path: Path) -> None:
    binary = valkey_binary()
    require_service(binary is not None, "no valkey-server or redis-server")
    assert binary is not None
    server = RealServer(binary, tmp_path)
    server.start()
    ring = CeleryRing(server.url)
    ring.ring("before")
    server.pause()
    began = monotonic()
    with pytest.raises(RingFailed):
        ring.ring("meanwhile")
    assert monotonic() - began < 8
    server.resume()
    ring.ring("after")
    assert ring.pending() >= 2
    ring.close()
    server.stop()
