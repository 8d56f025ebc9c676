"""The store answers slowly, wrongly or not at all: every call that needs it is told so in time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import httpx
import pytest
import redis

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.api.conftest import StartApi
from tests.proxy import Proxy
from tests.services import RealServer, free_port
from tests.unit.api.fakes import register_test_model
from tests.waiting import wait_until

BODY = {"text": "Hello, world!", "max_length": 50}

#: What the API promises. A call that takes longer fails its test.
ANSWER_SECONDS = 12.0

#: Every route that needs the store, with a job's id in place of {}.
ROUTES = (
    ("POST", "/predict?wait=60"),
    ("POST", "/predict?wait=0"),
    ("POST", "/jobs"),
    ("POST", "/batches"),
    ("GET", "/jobs/{}"),
    ("GET", "/jobs/{}?wait=60"),
    ("DELETE", "/jobs/{}"),
    ("POST", "/jobs/{}/cancel"),
    ("GET", "/info"),
)
SUBMITS, WRITES = ROUTES[:3], ROUTES[:4]


@pytest.fixture
def admin(own_server: RealServer) -> Iterator[redis.Redis]:
    with connect(own_server.url, max_connections=1) as client:
        register_test_model(JobStore(client))
        yield client


@pytest.fixture
def proxy(own_server: RealServer) -> Iterator[Proxy]:
    with Proxy(own_server.url) as proxy:
        yield proxy


def call(api: ApiProcess, method: str, path: str, **headers: str) -> httpx.Response:
    body: object = BODY if path.startswith("/predict") or (method, path) == ("POST", "/jobs") else None
    if path == "/batches":
        body = {"requests": [BODY]}
    return httpx.request(method, api.url + path, json=body, headers=headers, timeout=ANSWER_SECONDS)


def submit(api: ApiProcess) -> str:
    answer = call(api, "POST", "/jobs")
    assert answer.status_code == 202
    return str(answer.json()["id"])


def call_all(api: ApiProcess, job_id: str, times: int = 1, wait: int = 60) -> list[httpx.Response]:
    """Every route so many times, all at once."""
    with ThreadPoolExecutor(len(ROUTES) * times) as pool:
        calls: list[Future[httpx.Response]] = [
            pool.submit(call, api, method, path.format(job_id).replace("wait=60", f"wait={wait}"))
            for method, path in ROUTES * times
        ]
        assert call(api, "GET", "/healthz").status_code == 200
        assert call(api, "GET", "/readyz").status_code == 200
        assert "neoserve_store_up" in call(api, "GET", "/metrics").text
        return [each.result() for each in calls]


def assert_refused(answers: list[httpx.Response]) -> None:
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable"), answer.request.url
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0


def assert_everything_works(api: ApiProcess) -> None:
    wait_until(lambda: call(api, "POST", "/jobs").status_code == 202, "submits work again", seconds=30)
    job_id = submit(api)
    answers = call_all(api, job_id, wait=0)  # No worker runs: nobody need wait for one.
    # One of the two that cancel may find the job canceled already, and is told the same.
    assert {answer.status_code for answer in answers} <= {200, 202, 409}


def cancel_all(store: JobStore) -> None:
    for job_id in store.oldest_queued(1000):
        store.cancel(job_id)


@pytest.mark.slow
def test_a_stopped_server_blocks_no_thread(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis
) -> None:
    """64 calls at once, twice: the second finds the connections of the first gone."""
    api = start_api(own_server.url)
    job_id = submit(api)
    own_server.pause()
    try:
        for _ in range(2):
            assert_refused(call_all(api, job_id, times=8))
    finally:
        own_server.resume()

    cancel_all(JobStore(admin))
    assert_everything_works(api)


@pytest.mark.slow
def test_a_server_that_says_nothing_from_the_start(
    start_api: StartApi, admin: redis.Redis, proxy: Proxy
) -> None:
    proxy.hold(to_server=True)
    api = start_api(proxy.url)
    assert_refused(call_all(api, "job_" + "0" * 32))

    proxy.cut()
    proxy.release()
    assert_everything_works(api)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_half_open_connections(start_api: StartApi, admin: redis.Redis, proxy: Proxy, direction: str) -> None:
    api = start_api(proxy.url)
    job_id = submit(api)
    proxy.hold(**{direction: True})
    assert_refused(call_all(api, job_id))

    proxy.release()  # The old connections still are what they were for the API.
    assert_everything_works(api)


@pytest.mark.slow
def test_a_slow_server_is_waited_for_in_all_and_not_for_each_reply(
    start_api: StartApi, admin: redis.Redis, proxy: Proxy
) -> None:
    """Each reply is in time for itself; the six or more that a new connection and a submit take are not."""
    api = start_api(proxy.url)
    proxy.delay_replies(3)
    proxy.cut()
    assert_refused([call(api, method, path) for method, path in WRITES])

    proxy.delay_replies(0)
    proxy.cut()
    assert_everything_works(api)


def test_a_server_that_is_away(start_api: StartApi, own_server: RealServer, admin: redis.Redis) -> None:
    api = start_api(own_server.url)
    job_id = submit(api)
    own_server.stop()
    assert_refused(call_all(api, job_id, times=8))
    own_server.start()
    assert_everything_works(api)


def test_a_read_only_server(start_api: StartApi, own_server: RealServer, admin: redis.Redis) -> None:
    """As after a failover, when the address still leads to the old primary. It can still be read."""
    api = start_api(own_server.url)
    job_id = submit(api)
    admin.replicaof("127.0.0.1", free_port())  # type: ignore[no-untyped-call]
    assert_refused([call(api, method, path) for method, path in WRITES])
    assert_refused([call(api, "DELETE", f"/jobs/{job_id}")])
    assert call(api, "GET", f"/jobs/{job_id}").status_code == 200
    admin.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]
    assert_everything_works(api)


@pytest.mark.parametrize(
    ("name", "bad", "good"), [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")]
)
def test_a_server_that_takes_no_writes(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis, name: str, bad: str, good: str
) -> None:
    """Full, or without the replicas it must have: nothing is recorded that is not answered with 202."""
    api = start_api(own_server.url)
    submit(api)
    admin.config_set(name, bad)
    assert_refused([call(api, method, path) for method, path in WRITES])
    admin.config_set(name, good)
    assert JobStore(admin).num_queued() == 1
    assert_everything_works(api)


@pytest.mark.parametrize("key", ["neoserve:queued", "neoserve:queue:fp-test:normal", "generate"])
def test_a_key_of_another_type_is_no_crash(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis, key: str
) -> None:
    """Somebody has overwritten it: nothing is recorded, and the operator is told which one it is."""
    api = start_api(own_server.url)
    admin.set(key, "garbage")
    for method, path in SUBMITS:
        refused = call(api, method, path)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_broken")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        assert key not in refused.text
    assert call(api, "GET", "/metrics").status_code == 200
    assert call(api, "GET", "/info").status_code == 200
    wait_until(lambda: f"{key} is a string and should be a" in api.output, "the log names it")
    assert "Traceback" not in api.output
    admin.delete(key)
    assert JobStore(admin).num_queued() == 0
    assert_everything_works(api)


@pytest.mark.parametrize("key", ["neoserve:waiting:fp-test:normal", "neoserve:sequence"])
def test_a_count_that_is_no_number_is_no_crash(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis, key: str
) -> None:
    api = start_api(own_server.url)
    if key.endswith("sequence"):
        admin.set(key, "abc")
    else:
        admin.hset(key, "", "abc")
    for method, path in SUBMITS:
        refused = call(api, method, path)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_broken")
    wait_until(lambda: f"{key} holds no whole number" in api.output, "the log names it")
    assert "Traceback" not in api.output
    assert list(admin.scan_iter("neoserve:job:*")) == []
    admin.delete(key)
    assert_everything_works(api)


def test_jobs_are_read_and_canceled_while_the_memory_is_full(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis
) -> None:
    api = start_api(own_server.url)
    job_id = submit(api)
    admin.config_set("maxmemory", 1)
    assert call(api, "GET", f"/jobs/{job_id}").status_code == 200
    assert call(api, "DELETE", f"/jobs/{job_id}").status_code == 200


@pytest.mark.parametrize(
    ("headers", "jobs"), [({"Idempotency-Key": "order-17"}, 1), ({}, 2)], ids=["with a key", "without"]
)
def test_a_submit_whose_reply_got_lost_is_found_by_its_key(
    start_api: StartApi, admin: redis.Redis, proxy: Proxy, headers: dict[str, str], jobs: int
) -> None:
    """The server records what the client is told nothing about. Without a key its next try is another job."""
    api = start_api(proxy.url)
    store = JobStore(admin)
    store.cancel(submit(api))  # So that the next one's connection and model card are there.
    proxy.hold(to_client=True)
    lost = call(api, "POST", "/jobs", **headers)
    assert_refused([lost])
    assert "Idempotency-Key" in lost.json()["detail"]
    assert store.num_queued() == 1

    proxy.release()
    repeated = call(api, "POST", "/jobs", **headers)
    assert repeated.status_code == 202
    assert ("Idempotent-Replayed" in repeated.headers) == bool(headers)
    assert store.num_queued() == jobs


@pytest.mark.slow
def test_what_was_answered_with_202_is_recorded_although_connections_are_cut(
    start_api: StartApi, admin: redis.Redis, proxy: Proxy
) -> None:
    api = start_api(proxy.url)

    def submit_with_retries(number: int) -> str:
        key = f"order-{number}"
        while (answer := call(api, "POST", "/jobs", **{"Idempotency-Key": key})).status_code != 202:
            assert_refused([answer])
        return str(answer.json()["id"])

    with ThreadPoolExecutor(8) as pool:
        submitted = [pool.submit(submit_with_retries, number) for number in range(200)]
        while pending := [each for each in submitted if not each.done()]:
            proxy.cut()
            wait(pending, return_when=FIRST_COMPLETED)
    ids = {each.result() for each in submitted}

    assert len(ids) == 200
    assert set(JobStore(admin).oldest_queued(1000)) == ids


@pytest.mark.slow
def test_a_call_that_waits_is_handed_over_when_the_server_falls_silent(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis
) -> None:
    """Its job is recorded, so the answer is 202 and not 503."""
    api = start_api(own_server.url)
    store = JobStore(admin)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(call, api, "POST", "/predict?wait=6")
        wait_until(lambda: store.num_queued() == 1, "the job is recorded")
        own_server.pause()
        try:
            answer = waiting.result()
        finally:
            own_server.resume()
    assert answer.status_code == 202
    assert store.oldest_queued(1) == [answer.json()["id"]]


def test_a_durable_submit_is_answered_when_it_is_on_disk(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis
) -> None:
    admin.config_set("appendfsync", "always")
    api = start_api(own_server.url, NEOSERVE_DURABLE_SUBMIT="1")
    with ThreadPoolExecutor(32) as pool:
        ids = set(pool.map(lambda _: submit(api), range(32)))
    assert set(JobStore(admin).oldest_queued(100)) == ids
    assert admin.info("commandstats")["cmdstat_waitaof"]["calls"] >= 32


def test_a_server_that_cannot_be_durable_is_named_at_the_start(
    start_api: StartApi, own_server: RealServer, admin: redis.Redis
) -> None:
    admin.config_set("appendonly", "no")
    api = start_api(own_server.url, NEOSERVE_DURABLE_SUBMIT="1")
    assert "appendonly yes" in api.output

    refused = call(api, "POST", "/jobs")

    assert (refused.status_code, refused.json()["code"]) == (503, "not_durable")
    assert int(refused.headers["Retry-After"]) > 0
    assert JobStore(admin).num_queued() == 0
    assert call(api, "GET", "/info").status_code == 200
