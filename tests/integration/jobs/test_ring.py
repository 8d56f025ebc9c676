"""Rings on a real server."""

from __future__ import annotations

import base64
import json
from time import monotonic
from typing import Any

import celery
import pytest
import redis

from tasks.jobs.errors import QueueFull, RingFailed, StoreUnavailable
from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import CeleryRing, celery_settings
from tasks.jobs.settings import Settings
from tasks.jobs.store import JobStore
from tasks.jobs.upkeep import SPARE_RINGS
from tests.factories import make_new_job
from tests.services import RealServer, free_port


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


def test_a_ring_is_the_message_that_celery_itself_would_send(
    redis_url: str, real_client: redis.Redis
) -> None:
    app = celery.Celery(set_as_current=False)
    app.conf.update(celery_settings(Settings(redis_url=redis_url)))
    for job_id in ("job-1", "job-2"):
        sent = app.send_task(TASK_NAME, args=[job_id], queue=QUEUE_NAME, ignore_result=True)
    ring = CeleryRing(redis_url)
    ring.ring("job-1")
    ring.ring("job-2")

    rung_last, rung_first, celery_last, _ = map(json.loads, real_client.lrange(QUEUE_NAME, 0, -1))

    assert celery_last["headers"]["id"] == sent.id
    assert rung_last["headers"]["id"] != rung_first["headers"]["id"]
    assert rung_last["properties"]["delivery_tag"] != rung_first["properties"]["delivery_tag"]
    assert json.loads(base64.b64decode(rung_last["body"])) == json.loads(
        base64.b64decode(celery_last["body"])
    )
    assert without_ids(rung_last) == without_ids(celery_last)
    ring.close()
    app.close()


def without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """What must be the same in all rings of a job; asserts that the ids of the task agree."""
    headers, properties = message["headers"], message["properties"]
    assert headers["id"] == headers["root_id"] == properties["correlation_id"]
    for name in ("id", "root_id", "origin"):
        del headers[name]
    for name in ("correlation_id", "delivery_tag", "reply_to"):
        del properties[name]
    return {name: value for name, value in message.items() if name != "body"}


def test_a_submit_rings_for_its_job_and_only_once(redis_url: str, real_client: redis.Redis) -> None:
    ring, store = CeleryRing(redis_url), JobStore(real_client)
    new = make_new_job("job-1")
    for _ in range(2):
        store.submit(new, max_queued=1, ring=ring.message("job-1"))
    with pytest.raises(QueueFull):
        store.submit(make_new_job("job-2"), max_queued=1, ring=ring.message("job-2"))

    (text,) = real_client.lrange(QUEUE_NAME, 0, -1)

    assert json.loads(text)["headers"]["argsrepr"] == "['job-1']"
    ring.close()


def test_rings_of_jobs_that_were_canceled_unheard_do_not_pile_up(
    redis_url: str, real_client: redis.Redis
) -> None:
    ring, store = CeleryRing(redis_url), JobStore(real_client)
    for number in range(SPARE_RINGS + 10):
        store.submit(make_new_job(f"j{number}"), max_queued=1, ring=ring.message(f"j{number}"))
        store.cancel(f"j{number}")
    store.submit(make_new_job("job"), max_queued=1, ring=ring.message("job"))
    assert ring.pending() == SPARE_RINGS + 11
    Reaper(store, ring).tick()
    assert ring.pending() == store.num_queued() == 1
    ring.close()


def test_ringing_is_one_command(redis_url: str, real_client: redis.Redis) -> None:
    ring = CeleryRing(redis_url)
    ring.ring("connects")
    before = real_client.info("stats")["total_commands_processed"]
    ring.ring("job-1")
    assert real_client.info("stats")["total_commands_processed"] - before == 2, "with the INFO itself"
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


def test_ringing_at_a_server_that_falls_silent_fails_within_seconds(own_server: RealServer) -> None:
    ring = CeleryRing(own_server.url)
    ring.ring("before")
    own_server.pause()
    began = monotonic()
    with pytest.raises(RingFailed):
        ring.ring("meanwhile")
    assert monotonic() - began < 8
    own_server.resume()
    ring.ring("after")
    assert ring.pending() >= 2
    ring.close()
