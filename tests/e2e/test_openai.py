"""The unmodified client of OpenAI against the real stack: two API processes, two workers, one server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import Completion

from api.key_entry import new_key
from tasks.jobs.models import JobStatus
from tests.e2e.deployment import LEASE, Api, Deployment
from tests.services import free_port
from tests.waiting import wait_until

MODEL = "scripted-test-double-not-a-model"
PROMPT = "Once upon a time"
#: Tokens, at 0.02 s each: long enough to do something meanwhile.
LONG = 200


@pytest.fixture
def client(deployment: Deployment) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{deployment.apis[0].url}/v1", api_key="none is asked for", max_retries=0
    ) as client:
        yield client


def create(client: OpenAI, **changes: Any) -> Completion:
    asked: dict[str, Any] = {"model": MODEL, "prompt": PROMPT, "max_tokens": 5, **changes}
    completion: Completion = client.completions.create(**asked)
    return completion


def texts(completion: Completion) -> list[str]:
    return [choice.text for choice in completion.choices]


def test_a_completion_is_typed_whole_and_found_again(client: OpenAI, deployment: Deployment) -> None:
    completion = create(client, seed=7, user="ann")
    assert completion.object == "text_completion"
    assert completion.model == MODEL
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 5
    job = deployment.store.get(completion.id)
    assert job.status is JobStatus.SUCCEEDED
    assert job.metadata == {"user": "ann"}
    assert texts(completion) == [job.rows[0].text]
    assert completion._request_id
    assert job.origin.request_id == completion._request_id


def test_the_same_seed_gives_the_same_text_and_echo_its_prompt_before_it(client: OpenAI) -> None:
    first, again, other = (create(client, seed=seed, max_tokens=20) for seed in (7, 7, 8))
    assert texts(first) == texts(again)
    assert first.id != again.id
    assert other.system_fingerprint == first.system_fingerprint
    echoed = create(client, seed=7, max_tokens=20, echo=True)
    assert texts(echoed) == [PROMPT + texts(first)[0]]


def test_a_list_of_prompts_has_its_choices_in_order(client: OpenAI) -> None:
    prompts = ["one", "two", "three"]
    completion = create(client, prompt=prompts, n=2, echo=True, seed=1)
    assert [choice.index for choice in completion.choices] == list(range(6))
    assert [text.startswith(prompts[number // 2]) for number, text in enumerate(texts(completion))] == [
        True
    ] * 6
    single = create(client, prompt="two", n=2, echo=True, seed=1)
    assert texts(completion)[2:4] == texts(single)


def test_a_stop_string_ends_the_text_and_is_not_in_it(client: OpenAI) -> None:
    whole = texts(create(client, seed=7, max_tokens=20))[0]
    stop = whole[len(whole) // 2 :][:3]
    stopped = create(client, seed=7, max_tokens=20, stop=[stop])
    assert stopped.choices[0].finish_reason == "stop"
    assert texts(stopped) == [whole[: whole.index(stop)]]


def test_a_stream_joins_to_the_same_text_and_ends_with_the_usage(client: OpenAI) -> None:
    whole = create(client, seed=7, n=2, max_tokens=20)
    asked: dict[str, Any] = {"model": MODEL, "prompt": PROMPT, "max_tokens": 20, "seed": 7, "n": 2}
    chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    streamed = ["", ""]
    for chunk in chunks[:-1]:
        (choice,) = chunk.choices
        streamed[choice.index] += choice.text
    assert streamed == texts(whole)
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_asynchronous_clients_get_the_same(client: OpenAI) -> None:
    whole = create(client, seed=7, max_tokens=20)
    asked: dict[str, Any] = {"model": MODEL, "prompt": PROMPT, "max_tokens": 20, "seed": 7}

    async def ask() -> tuple[list[str], str]:
        async with AsyncOpenAI(base_url=str(client.base_url), api_key="-", max_retries=0) as aclient:
            answers = await asyncio.gather(*(aclient.completions.create(**asked) for _ in range(3)))
            stream = await aclient.completions.create(**asked, stream=True)
            streamed = "".join([chunk.choices[0].text async for chunk in stream])
            return [texts(each)[0] for each in answers], streamed

    assert asyncio.run(ask()) == (texts(whole) * 3, texts(whole)[0])


def test_fields_of_ours_go_through_the_extra_body(client: OpenAI, deployment: Deployment) -> None:
    extra = {"top_k": 40, "repetition_penalty": 1.2, "priority": "high", "deadline_s": 60}
    job = deployment.store.get(create(client, extra_body=extra).id)
    assert (job.parameters.top_k, job.parameters.repetition_penalty, job.priority) == (40, 1.2, "high")
    assert job.deadline_at is not None


def test_models_are_listed_and_shown(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == MODEL
    assert client.models.retrieve(MODEL) == model


def test_mistakes_raise_the_client_s_own_errors(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        create(client, model="gpt-4")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong:
        create(client, logprobs=1)
    assert (wrong.value.code, wrong.value.param) == ("invalid_parameter", "logprobs")
    assert wrong.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError, match="base model"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_a_wrong_key_raises_the_client_s_own_error(deployment: Deployment) -> None:
    key, entry = new_key("ann")
    api = Api(deployment.server.url, **LEASE, NEOSERVE_API_KEYS=entry.line())
    api.start()
    try:
        with OpenAI(base_url=f"{api.url}/v1", api_key="sk-wrong", max_retries=0) as stranger:
            with pytest.raises(openai.AuthenticationError) as refused:
                create(stranger)
            assert refused.value.code == "invalid_api_key"
        with OpenAI(base_url=f"{api.url}/v1", api_key=key, max_retries=0) as known:
            assert len(texts(create(known))) == 1
    finally:
        api.stop()


def jobs_of(deployment: Deployment, user: str) -> list[JobStatus]:
    jobs = deployment.store.list_jobs(limit=100).jobs
    return [job.status for job in jobs if job.metadata == {"user": user}]


def test_a_stream_that_is_closed_cancels_its_job(client: OpenAI, deployment: Deployment) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": PROMPT, "max_tokens": 2000}
    stream = client.completions.create(**asked, stream=True, user="closes")
    next(stream)
    stream.close()
    wait_until(lambda: jobs_of(deployment, "closes") == [JobStatus.CANCELED], "it is canceled", seconds=30)


@pytest.mark.parametrize("prompt", [PROMPT, [PROMPT, "another"]])
def test_a_call_whose_client_gives_up_cancels_its_jobs(
    client: OpenAI, deployment: Deployment, prompt: Any
) -> None:
    user = f"gives up {len(prompt)}"
    with pytest.raises(openai.APITimeoutError):
        create(client, prompt=prompt, max_tokens=2000, user=user, timeout=0.5)
    wait_until(
        lambda: set(jobs_of(deployment, user)) == {JobStatus.CANCELED}, "they are canceled", seconds=30
    )


def test_a_job_that_is_canceled_in_the_middle_of_its_stream_raises(
    client: OpenAI, deployment: Deployment
) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": PROMPT, "max_tokens": 2000}
    stream = client.completions.create(**asked, stream=True)
    deployment.store.cancel(next(stream).id)
    with pytest.raises(openai.APIError) as ended:
        list(stream)
    assert ended.value.code == "canceled"


@pytest.mark.parametrize("key", ["k", pytest.param(None, marks=pytest.mark.slow)])
def test_a_restart_of_the_api_is_hidden_by_the_client_s_own_retries(
    deployment: Deployment, key: str | None
) -> None:
    """With an idempotency key it is even the same job."""
    user, port = f"restart {key}", free_port()
    answers: list[Completion] = []

    def ask() -> None:
        headers = {"Idempotency-Key": key} if key else {}
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="-", max_retries=10) as patient:
            answers.append(create(patient, max_tokens=LONG, user=user, extra_headers=headers))

    first = Api(deployment.server.url, **LEASE, NEOSERVE_PORT=str(port))
    second = Api(deployment.server.url, **LEASE, NEOSERVE_PORT=str(port))
    try:
        first.start()
        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: jobs_of(deployment, user) == [JobStatus.RUNNING], "the job runs")
        first.stop()
        second.start()
        asking.join(60)
    finally:
        first.stop()
        second.stop()
    (answer,) = answers
    assert answer.usage is not None
    assert answer.usage.completion_tokens == LONG
    expected = [JobStatus.SUCCEEDED] + ([] if key else [JobStatus.CANCELED])
    wait_until(lambda: jobs_of(deployment, user) == expected, "the first job has ended")


def test_what_the_log_says_of_a_completion_holds_no_prompt(client: OpenAI, deployment: Deployment) -> None:
    completion = create(client, prompt="a secret prompt", stop=["secret stop"], user="secret user")
    api = deployment.apis[0]
    wait_until(lambda: f"job_id={completion.id}" in api.output, "its line is written")
    assert "route=/v1/completions" in api.output
    assert "secret" not in api.output


def test_an_answer_is_plain_json(client: OpenAI) -> None:
    raw = client.completions.with_raw_response.create(model=MODEL, prompt=PROMPT, max_tokens=3)
    assert json.loads(raw.text)["id"] == raw.headers["Location"].removeprefix("/jobs/")
