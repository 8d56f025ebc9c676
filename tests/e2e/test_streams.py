"""Streams of events over real HTTP: two API processes, two workers, one server."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tasks.jobs.events import order
from tasks.jobs.models import JobStatus
from tests.e2e.deployment import Deployment
from tests.sse import Following, Reader, follow
from tests.waiting import wait_until

PROMPT = "Once upon a time"
#: Some two seconds of work.
BODY = {"text": PROMPT, "max_new_tokens": 100, "do_sample": True}


def submit(deployment: Deployment, **changes: object) -> str:
    answer = httpx.post(f"{deployment.apis[0].url}/jobs", json={**BODY, **changes})
    assert answer.status_code == 202
    return str(answer.json()["id"])


def has_read(characters: int) -> Callable[[Reader], bool]:
    return lambda reader: len(reader.text) >= characters


def check_order(reader: Reader) -> None:
    """Every recorded event once."""
    ids = [order(sent.id) for sent in reader.seen if sent.id]
    assert ids == sorted(set(ids))


def test_a_posted_job_is_streamed_while_it_runs(deployment: Deployment) -> None:
    url = deployment.apis[0].url
    reader = Reader()
    with follow(url, "/predict", body={**BODY, "num_return_sequences": 2}) as (answer, events):
        first = next(events)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Location"] == f"/jobs/{first.data['job_id']}"
        reader.take(first)
        for sent in events:
            reader.take(sent)
            if reader.names.count("token") == 1:
                assert deployment.store.get(first.data["job_id"]).status is JobStatus.RUNNING

    assert reader.names[-1] == "done"
    assert reader.attempts == [1]
    reader.check(PROMPT)
    check_order(reader)


def test_a_reader_goes_on_at_another_replica_where_it_was(deployment: Deployment) -> None:
    one, other = (api.url for api in deployment.apis)
    path = f"/jobs/{submit(deployment)}/events"
    reader = Reader()
    for url, characters in ((one, 5), (other, 20), (one, 21), (other, 60)):
        following = Following(url, path, reader, enough=has_read(characters))
        following.start()
        following.result()
    whole = Following(other, path, reader)
    whole.start()

    whole.result().check(PROMPT)
    assert reader.attempts == [1]
    check_order(reader)


def test_a_killed_worker_makes_its_readers_begin_anew(deployment: Deployment) -> None:
    """One reads all the time, one comes back at another replica between the attempts."""
    one, other = (api.url for api in deployment.apis)
    job_id = submit(deployment)
    path = f"/jobs/{job_id}/events"
    steady = Following(one, path)
    steady.start()
    visitor = Following(other, path, enough=has_read(10))
    visitor.start()
    before = visitor.result().text
    deployment.worker_of(job_id).signal(signal.SIGKILL)
    back = Following(one, path, visitor.reader)
    back.start()

    for reader in (steady.result(), back.result()):
        assert reader.attempts == [1, 2]
        reader.check(PROMPT)
        check_order(reader)
    assert steady.reader.texts == back.reader.texts
    assert back.reader.text.startswith(before)  # The seed makes the same text; it was read twice, told once.


def test_a_cancel_while_it_is_read_ends_with_what_was_made(deployment: Deployment) -> None:
    one, other = (api.url for api in deployment.apis)
    job_id = submit(deployment)
    following = Following(one, f"/jobs/{job_id}/events")
    following.start()
    wait_until(lambda: has_read(10)(following.reader), "it reads")
    assert httpx.delete(f"{other}/jobs/{job_id}").status_code == 202

    job = following.result().job
    assert job is not None
    assert job["status"] == "canceled"
    assert job["result"][0]["finish_reason"] == "canceled"
    assert job["result"][0]["generated_text"] == PROMPT + following.reader.text


@pytest.mark.slow
def test_a_drain_sends_readers_elsewhere(deployment: Deployment) -> None:
    one, other = deployment.apis
    path = f"/jobs/{submit(deployment)}/events"
    following = Following(one.url, path)
    following.start()
    wait_until(lambda: has_read(5)(following.reader), "it reads")
    exit_code = one.stop(signal.SIGTERM)
    reader = following.result()

    assert exit_code == 0
    assert reader.names[-1] == "retry"
    assert reader.job is None
    rest = Following(other.url, path, reader)
    rest.start()
    rest.result().check(PROMPT)
    assert reader.attempts == [1]
    check_order(reader)


@pytest.mark.slow
def test_a_restart_of_redis_loses_no_reader_a_word(deployment: Deployment) -> None:
    path = f"/jobs/{submit(deployment)}/events"
    readers = [Following(api.url, path) for api in deployment.apis]
    for following in readers:
        following.start()
    for following in readers:
        wait_until(lambda each=following: has_read(10)(each.reader), "it reads")  # type: ignore[misc]
    deployment.server.stop()
    deployment.server.start()

    for following in readers:
        following.result().check(PROMPT)
        check_order(following.reader)


@pytest.mark.slow
def test_readers_that_come_and_go_read_every_text_exactly(deployment: Deployment) -> None:
    """Three for each of 30 jobs; each leaves after some events and comes back at either replica, while one
    of the two workers is killed."""
    urls = [api.url for api in deployment.apis]
    job_ids = [submit(deployment, num_return_sequences=1 + number % 2) for number in range(30)]
    chance = random.Random(7)

    def read(job_id: str, seed: int) -> Reader:
        own, reader = random.Random(seed), Reader()
        while reader.job is None:
            enough = len(reader.seen) + own.randrange(1, 30)
            with follow(own.choice(urls), f"/jobs/{job_id}/events", reader.last_id) as (answer, events):
                assert answer.status_code == 200
                for sent in events:
                    reader.take(sent)
                    if len(reader.seen) >= enough:
                        break
        return reader

    with ThreadPoolExecutor(90) as pool:
        reading = [pool.submit(read, job_id, chance.random()) for job_id in job_ids * 3]  # type: ignore[arg-type]
        wait_until(lambda: deployment.client.zcard("neoserve:leases") > 8, "jobs run")
        deployment.workers[0].signal(signal.SIGKILL)
        readers = [each.result(120) for each in reading]

    for reader in readers:
        reader.check(PROMPT)
        check_order(reader)
    assert any(max(reader.attempts) > 1 for reader in readers)
