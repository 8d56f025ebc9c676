"""The client library against the real stack: two API processes, two workers, one server, broken networks."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neoserve import (
    AsyncNeoServe,
    BatchItem,
    Conflict,
    Done,
    Event,
    JobCanceled,
    NeoServe,
    NeoServeError,
    NotEnded,
    NotFound,
    Overloaded,
    RequestRefused,
    Started,
    Token,
)
from tests.e2e.deployment import LEASE, Api, Deployment
from tests.proxy import Proxy

PROMPT = "Once upon a time"
#: Tokens, at 0.02 s each: more than a second.
LONG = 60
#: Of both workers.
ALL_SLOTS = 32


@pytest.fixture
def service(deployment: Deployment) -> Iterator[NeoServe]:
    with NeoServe(deployment.apis[0].url) as service:
        yield service


@pytest.fixture
def proxy(deployment: Deployment) -> Iterator[Proxy]:
    with Proxy(deployment.apis[0].url) as proxy:
        yield proxy


def check(events: list[Event]) -> None:
    """Every token once: joined since the last start they are the result."""
    done = events[-1]
    assert isinstance(done, Done)
    assert done.job.succeeded
    last_start = max(index for index, event in enumerate(events) if isinstance(event, Started))
    text = "".join(event.text for event in events[last_start:] if isinstance(event, Token))
    assert done.job.text == PROMPT + text


def num_jobs(deployment: Deployment, prompt: str) -> int:
    with NeoServe(deployment.apis[0].url) as service:
        return sum(job.metadata.get("of") == prompt for job in service.jobs(page=100))


def test_a_prediction_is_one_call(service: NeoServe) -> None:
    job = service.predict(PROMPT, max_new_tokens=5, seed=7)
    assert job.succeeded
    assert job.text.startswith(PROMPT)
    assert (job.num_tokens, job.parameters["seed"]) == (5, 7)
    assert service.get(job).raw == job.raw


def test_a_prediction_that_outlasts_its_call_is_one_call_all_the_same(
    service: NeoServe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neoserve.polling.WAIT_SECONDS", 1.0)
    job = service.predict(PROMPT, max_new_tokens=LONG)
    assert job.num_tokens == LONG


def test_the_whole_life_of_a_job(service: NeoServe) -> None:
    job = service.submit(PROMPT, max_new_tokens=1000)
    with pytest.raises(NotEnded):
        service.wait(job, timeout=0)
    with pytest.raises(Conflict) as too_early:
        service.retry(job)
    assert too_early.value.code == "job_not_ended"
    service.cancel(job)
    ended = service.wait(job, timeout=30)
    with pytest.raises(JobCanceled):
        ended.raise_for_failure()
    again = service.retry(ended)
    assert again.retry_of == job.id
    service.cancel(again)
    assert job.id in {each.id for each in service.jobs(status="canceled", page=1)}


def test_a_mistake_is_named_with_its_field(service: NeoServe) -> None:
    with pytest.raises(RequestRefused) as refused:
        service.predict(PROMPT, temperature=0)
    assert (refused.value.code, refused.value.errors[0].field) == ("invalid_parameter", "temperature")
    with pytest.raises(NotFound):
        service.get("job_00000000000000000000000000000000")


def test_a_stream_tells_every_token_once(service: NeoServe) -> None:
    check(list(service.stream(PROMPT, max_new_tokens=LONG)))


def test_a_stream_whose_connections_break_tells_every_token_once(proxy: Proxy) -> None:
    events: list[Event] = []
    with NeoServe(proxy.url) as service:
        for event in service.stream(PROMPT, max_new_tokens=LONG):
            events.append(event)
            if isinstance(event, Token) and len(events) % 10 == 0:
                proxy.cut()
    assert len(events) > 20
    check(events)


@pytest.mark.slow
def test_a_stream_outlives_the_worker(deployment: Deployment, service: NeoServe) -> None:
    events: list[Event] = []
    for event in service.stream(PROMPT, max_new_tokens=LONG):
        events.append(event)
        if len(events) == 10:
            job_id = next(each.job_id for each in events if isinstance(each, Started))
            deployment.worker_of(job_id).signal(signal.SIGKILL)
    check(events)
    assert max(event.attempt for event in events if isinstance(event, Started)) == 2


def test_a_submit_whose_answer_was_lost_is_recorded_once(deployment: Deployment, proxy: Proxy) -> None:
    with NeoServe(proxy.url) as service:
        for call in (service.submit, service.predict):
            name = call.__name__
            proxy.drop_next_reply()
            job = call(PROMPT, max_new_tokens=5, metadata={"of": name})
            assert num_jobs(deployment, name) == 1
            assert service.wait(job).succeeded


def test_a_wait_outlives_a_broken_network(proxy: Proxy) -> None:
    with NeoServe(proxy.url) as service:
        job = service.submit(PROMPT, max_new_tokens=LONG)
        cutting = threading.Timer(0.5, proxy.cut)
        cutting.start()
        assert service.wait(job).succeeded
        cutting.join()


def test_a_batch_from_prompts_to_results(deployment: Deployment, proxy: Proxy) -> None:
    prompts = [f"Tale {number}" for number in range(30)]
    with NeoServe(proxy.url) as service:
        proxy.drop_next_reply()
        items = list(service.batch(prompts, defaults={"max_new_tokens": 3, "return_full_text": True}))
        batches = list(service.batches())
        assert [item.text.startswith(prompt) for item, prompt in zip(items, prompts, strict=True)] == [
            True
        ] * 30
        assert len(batches) == 1
        assert service.get_batch(batches[0]).counts.succeeded == 30
        with pytest.raises(Conflict):
            service.cancel_batch(batches[0])


def test_a_batch_from_a_file_can_be_canceled(service: NeoServe, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps({"text": PROMPT, "max_new_tokens": 1000}) + "\n" for _ in range(200)))
    batch = service.submit_batch(file, metadata={"run": "tales"})
    service.cancel_batch(batch)
    ended = service.wait_batch(batch, timeout=30)
    assert (ended.status, ended.metadata) == ("canceled", {"run": "tales"})
    assert {item.status for item in service.results(ended)} == {"canceled"}


def test_the_service_tells_of_itself(service: NeoServe) -> None:
    health, info = service.health(), service.info()
    assert health.models[0].workers == len(health.workers) == 2
    assert info.limits["max_wait_s"] == 60


def test_the_whole_round_on_an_event_loop(deployment: Deployment, proxy: Proxy) -> None:
    async def round_trip() -> list[Event]:
        async with AsyncNeoServe(proxy.url) as service:
            proxy.drop_next_reply()
            submitted = await service.submit(PROMPT, max_new_tokens=5, metadata={"of": "async"})
            assert (await service.wait(submitted)).succeeded
            predicted = await asyncio.gather(
                *(service.predict(PROMPT, seed=seed, max_new_tokens=5) for seed in range(8))
            )
            assert all(job.succeeded for job in predicted)
            items: list[BatchItem] = [item async for item in service.batch(["One", "Two"])]
            assert [item.status for item in items] == ["succeeded"] * 2
            with pytest.raises(Conflict):
                await service.cancel(submitted)
            assert (await service.retry(submitted)).retry_of == submitted.id
            events: list[Event] = []
            async for event in service.stream(PROMPT, max_new_tokens=LONG):
                events.append(event)
                if len(events) == 20:
                    proxy.cut()
            return events

    check(asyncio.run(round_trip()))
    assert num_jobs(deployment, "async") == 2  # It, and its retry.


def test_a_full_queue_is_waited_for_as_long_as_it_says(deployment: Deployment) -> None:
    api = Api(deployment.server.url, NEOSERVE_MAX_QUEUED="1", **LEASE)
    api.start()
    told: list[NeoServeError] = []
    try:
        with NeoServe(api.url, on_retry=lambda error, _seconds: told.append(error)) as service:
            with NeoServe(deployment.apis[0].url) as unlimited:
                filling = [unlimited.submit(PROMPT, max_new_tokens=LONG) for _ in range(ALL_SLOTS + 2)]
            job = service.submit(PROMPT, max_new_tokens=5)
            assert service.wait(job).succeeded
            assert all(service.wait(each).succeeded for each in filling)
    finally:
        api.stop()
    assert {type(error) for error in told} == {Overloaded}
    assert {error.code for error in told} == {"queue_full"}
    assert all(error.retry_after for error in told)


def test_an_outage_of_the_store_is_ridden_out_and_the_job_recorded_once(deployment: Deployment) -> None:
    told: list[NeoServeError] = []

    def repair(error: NeoServeError, _seconds: float) -> None:
        told.append(error)
        if len(told) == 1:
            deployment.server.start()

    with NeoServe(deployment.apis[0].url, on_retry=repair) as service:
        deployment.server.stop()
        job = service.submit(PROMPT, max_new_tokens=5, metadata={"of": "outage"})
        assert service.wait(job).succeeded
    assert told[0].code == "store_unavailable"
    assert told[0].retry_after
    assert num_jobs(deployment, "outage") == 1


def test_the_examples_of_the_documentation_run(deployment: Deployment) -> None:
    """As a program of its own: they leave their connections to its end, as a reader's first try does."""
    url = deployment.apis[0].url
    page = (Path(__file__).parents[2] / "docs/client.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    program = "\n".join(examples).replace("http://127.0.0.1:8080", url)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NEOSERVE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words in ("invalid_parameter temperature", "2 of 2", "succeeded", "[34, 34, 34, 34]", "Done(job="):
        assert words in done.stdout
