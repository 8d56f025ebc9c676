"""The two classes: what they send, and that they are the same."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from neoserve import AsyncNeoServe, NeoServe, Token, Unreachable
from tests.unit.neoserve.network import batch_json, job_json, problem, sent

Handler = Callable[[httpx.Request], httpx.Response]

EVENTS = sent("started", {"job_id": "job_1", "attempt": 1}) + sent("token", {"text": "a", "index": 0})
ENDED = EVENTS + sent("done", {"job": job_json()}, "1-1")


def stream_of(body: bytes) -> httpx.Response:
    return httpx.Response(200, content=body, headers={"Content-Type": "text/event-stream"})


def sync_client(handler: Handler, **options: Any) -> NeoServe:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return NeoServe("http://service", http_client=http, **options)


def async_client(handler: Handler, **options: Any) -> AsyncNeoServe:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return AsyncNeoServe("http://service", http_client=http, **options)


def answers(request: httpx.Request) -> httpx.Response:
    """A service on which everything has ended."""
    path = request.url.path
    if path.endswith("/events") or "event-stream" in request.headers["Accept"]:
        return stream_of(ENDED)
    if path.endswith("/results"):
        lines = [{"index": index, "status": "succeeded"} for index in range(2)]
        return httpx.Response(200, content=b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    if path in ("/jobs", "/batches") and request.method == "GET":
        return httpx.Response(200, json={"jobs": [job_json()], "batches": [batch_json()], "next": None})
    return httpx.Response(200, json=batch_json() if path.startswith("/batches") else job_json())


#: Method, arguments, and what it sends first.
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("predict", ("Hi",), {"seed": 7}, "POST /predict?wait=30"),
    ("submit", ("Hi",), {"priority": "low"}, "POST /jobs"),
    ("get", ("job_1",), {}, "GET /jobs/job_1"),
    ("wait", ("job_1",), {}, "GET /jobs/job_1?wait=30"),
    ("cancel", ("job_1",), {}, "DELETE /jobs/job_1"),
    ("retry", ("job_1",), {}, "POST /jobs/job_1/retry"),
    ("submit_batch", (["Hi"],), {}, "POST /batches"),
    ("get_batch", ("batch_1",), {}, "GET /batches/batch_1"),
    ("wait_batch", ("batch_1",), {}, "GET /batches/batch_1?wait=30"),
    ("cancel_batch", ("batch_1",), {}, "DELETE /batches/batch_1"),
]

ITERATORS: list[tuple[str, tuple[Any, ...], str, int]] = [
    ("stream", ("Hi",), "POST /predict", 3),
    ("events", ("job_1",), "GET /jobs/job_1/events", 3),
    ("jobs", (), "GET /jobs", 1),
    ("batch", (["Hi"],), "POST /batches", 2),
    ("results", ("batch_1",), "GET /batches/batch_1", 2),
    ("batches", (), "GET /batches", 1),
]


class Recorder:
    def __init__(self, handler: Handler = answers) -> None:
        self.requests: list[httpx.Request] = []
        self._handler = handler

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._handler(request)

    @property
    def first(self) -> str:
        return f"{self.requests[0].method} {self.requests[0].url.raw_path.decode()}"


@pytest.mark.parametrize(("name", "arguments", "fields", "wanted"), CALLS, ids=lambda each: str(each)[:12])
def test_a_call_is_the_same_in_both(
    name: str, arguments: tuple[Any, ...], fields: dict[str, Any], wanted: str
) -> None:
    one, other = Recorder(), Recorder()
    with sync_client(one) as client:
        found = getattr(client, name)(*arguments, **fields)

    async def call() -> Any:
        async with async_client(other) as client:
            return await getattr(client, name)(*arguments, **fields)

    assert found == asyncio.run(call())
    assert one.first == other.first == wanted
    assert one.requests[0].content == other.requests[0].content


@pytest.mark.parametrize(
    ("name", "arguments", "wanted", "number"), ITERATORS, ids=lambda each: str(each)[:12]
)
def test_an_iterator_is_the_same_in_both(
    name: str, arguments: tuple[Any, ...], wanted: str, number: int
) -> None:
    one, other = Recorder(), Recorder()
    found = list(getattr(sync_client(one), name)(*arguments))

    async def call() -> list[Any]:
        return [each async for each in getattr(async_client(other), name)(*arguments)]

    assert found == asyncio.run(call())
    assert len(found) == number
    assert one.first == other.first == wanted


def test_both_offer_the_same_calls_with_the_same_arguments() -> None:
    def calls(kind: type) -> dict[str, inspect.Signature]:
        found = {name: each for name, each in inspect.getmembers(kind) if not name.startswith("_")}
        return {
            name: inspect.signature(each) for name, each in found.items() if name not in ("close", "aclose")
        }

    one, other = calls(NeoServe), calls(AsyncNeoServe)
    assert one.keys() == other.keys()
    assert {name for name, *_ in CALLS + ITERATORS} | {"health", "info"} == one.keys()
    for name in one:
        assert one[name].parameters == other[name].parameters, name


def test_every_try_of_a_call_has_one_key_and_every_call_another() -> None:
    failures = iter([True, False, False])

    def flaky(request: httpx.Request) -> httpx.Response:
        if next(failures):
            return httpx.Response(429, json=problem(429, "queue_full"), headers={"Retry-After": "0"})
        return httpx.Response(202, json=job_json("queued"))

    recorder = Recorder(flaky)
    client = sync_client(recorder)
    client.submit("Hi")
    client.submit("Hi")
    keys = [request.headers["Idempotency-Key"] for request in recorder.requests]
    assert keys[0] == keys[1] != keys[2]


def test_a_key_of_ones_own_is_sent() -> None:
    recorder = Recorder()
    sync_client(recorder).submit("Hi", idempotency_key="tales-1")
    assert recorder.requests[0].headers["Idempotency-Key"] == "tales-1"


def test_an_iterator_that_is_left_closes_its_connection() -> None:
    streams = [httpx.ByteStream(EVENTS), httpx.ByteStream(EVENTS)]
    closed: list[int] = []

    class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            return iter(streams[0])

        async def __aiter__(self) -> Any:
            yield EVENTS

        def close(self) -> None:
            closed.append(1)

        async def aclose(self) -> None:
            closed.append(2)

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Body(), headers={"Content-Type": "text/event-stream"})

    events = sync_client(handler).stream("Hi")
    assert next(each for each in events if isinstance(each, Token)).text == "a"
    events.close()

    async def leave() -> None:
        events = async_client(handler).stream("Hi")
        await anext(events)
        await events.aclose()

    asyncio.run(leave())
    assert closed == [1, 2]


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOSERVE_URL", "service:9000/below/")
    monkeypatch.setenv("NEOSERVE_API_KEY", "secret")
    recorder = Recorder()
    client = NeoServe(http_client=httpx.Client(transport=httpx.MockTransport(recorder)))
    client.get("job_1")
    assert client.base_url == "http://service:9000/below"
    assert recorder.requests[0].headers["Authorization"] == "Bearer secret"
    assert str(recorder.requests[0].url) == "http://service:9000/below/jobs/job_1"


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOSERVE_URL", "http://elsewhere")
    monkeypatch.setenv("NEOSERVE_API_KEY", "another")
    recorder = Recorder()
    sync_client(recorder, api_key="mine").get("job_1")
    assert recorder.requests[0].headers["Authorization"] == "Bearer mine"
    assert recorder.requests[0].url.host == "service"


@pytest.mark.parametrize("url", ["ftp://example.org", "http://", "::"])
def test_an_address_that_is_none_is_refused_before_any_call(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        NeoServe(url)


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        NeoServe("http://service", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ConnectError("refused"), "No service answers at http://service."),
        (httpx.ReadTimeout("slow"), "http://service did not answer in time."),
        (httpx.RemoteProtocolError("cut"), "The connection to http://service broke (RemoteProtocolError)."),
    ],
)
def test_a_service_that_is_away_is_one_plain_line(failure: Exception, words: str) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure

    for make in (sync_client, async_client):
        client = make(fail, patience=0)
        with pytest.raises(Unreachable) as caught:
            asyncio.run(client.info()) if isinstance(client, AsyncNeoServe) else client.info()
        assert str(caught.value) == words


def test_a_password_in_the_address_is_shown_nowhere() -> None:
    assert NeoServe("http://user:secret@service").base_url == "http://service"


def test_the_time_of_a_call_comes_before_that_of_the_client() -> None:
    recorder = Recorder()
    client = sync_client(recorder, timeout=20)
    client.predict("Hi")
    client.predict("Hi", timeout=10)
    assert [request.url.params["wait"] for request in recorder.requests] == ["20", "10"]
