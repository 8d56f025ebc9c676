"""What a client of OpenAI's API may ask for, and which job comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from api.batch_request import parse_item
from api.errors import InvalidParameters
from api.openai.request import MAX_CHOICES, MAX_PROMPTS, MAX_SEED, parse_completion
from api.openai.translation import batch, job_fields, single_job
from api.request import PredictRequest

BODY = {"model": "m", "prompt": "Once upon a time"}

#: What openai's client and its wrappers send although it changes nothing.
NEUTRAL: list[dict[str, Any]] = [
    {"best_of": None},
    {"best_of": 1},
    {"best_of": 3, "n": 3},
    {"frequency_penalty": 0},
    {"frequency_penalty": 0.0, "presence_penalty": 0},
    {"frequency_penalty": None, "presence_penalty": None},
    {"logit_bias": {}},
    {"logit_bias": None},
    {"logprobs": None},
    {"stream": False},
    {"stream_options": None},
    {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": True}},
    {"suffix": None},
    {"suffix": ""},
    {"user": None},
    {"stop": None, "seed": None, "n": None, "max_tokens": None, "temperature": None, "top_p": None},
]

#: Each with the field that the error names and a part of what it says.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"model": None}, "model", "string"),
    ({"prompt": None}, "prompt", "a string or a list"),
    ({"prompt": ""}, "prompt", "not empty"),
    ({"prompt": []}, "prompt", f"1 to {MAX_PROMPTS}"),
    ({"prompt": ["a"] * (MAX_PROMPTS + 1)}, "prompt", f"1 to {MAX_PROMPTS}"),
    ({"prompt": ["a", ""]}, "prompt", "not empty"),
    ({"prompt": ["a", None]}, "prompt", "strings"),
    ({"prompt": [1, 2, 3]}, "prompt", "token ids are not taken"),
    ({"prompt": [[1, 2], [3]]}, "prompt", "token ids are not taken"),
    ({"prompt": {"a": 1}}, "prompt", "a string or a list"),
    ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
    ({"temperature": 2.1}, "temperature", "less than or equal to 2"),
    ({"temperature": -1}, "temperature", "greater than or equal to 0"),
    ({"top_p": 0}, "top_p", "greater than 0"),
    ({"n": MAX_CHOICES + 1}, "n", f"{MAX_CHOICES}"),
    ({"n": 2, "temperature": 0}, "n", "temperature is 0"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "at most 4"),
    ({"stop": ""}, "stop.0", "not be empty"),
    ({"seed": -1}, "seed", "greater than or equal to 0"),
    ({"seed": MAX_SEED + 1}, "seed", "less than or equal"),
    ({"best_of": 2}, "best_of", "the same as n"),
    ({"best_of": 1, "n": 2}, "best_of", "the same as n"),
    ({"frequency_penalty": 0.5}, "frequency_penalty", "repetition_penalty"),
    ({"presence_penalty": -1}, "presence_penalty", "repetition_penalty"),
    ({"logit_bias": {"50256": -100}}, "logit_bias", "no token"),
    ({"logprobs": 0}, "logprobs", "must be null"),
    ({"suffix": "the end"}, "suffix", "only continues"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "stream is true"),
    ({"stream": True, "stream_options": {"other": True}}, "stream_options.other", "not a field"),
    ({"stream": True, "prompt": ["a", "b"]}, "stream", "one prompt"),
    ({"prompt": ["a", "b"], "priority": "high"}, "priority", "low"),
    ({"messages": []}, "messages", "not a field"),
]


@pytest.mark.parametrize("changes", NEUTRAL)
def test_what_changes_nothing_is_taken(changes: dict[str, Any]) -> None:
    wanted = parse_completion({**BODY, **changes})
    assert single_job(wanted, kept=False).text == BODY["prompt"]


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED)
def test_what_cannot_be_done_is_refused_by_name(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        parse_completion({**BODY, **changes})
    (error,) = refused.value.errors
    assert error.field == field
    assert words in error.message


@pytest.mark.parametrize("missing", ["model", "prompt"])
def test_model_and_prompt_are_required(missing: str) -> None:
    with pytest.raises(InvalidParameters, match=f"{missing}: is required"):
        parse_completion({name: value for name, value in BODY.items() if name != missing})


@pytest.mark.parametrize("field", ["prompt", "suffix", "user", "stop"])
def test_a_refusal_repeats_nothing_private(field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        parse_completion({**BODY, field: {"secret": 1}, "temperature": 3})
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidParameters) as refused:
        parse_completion({**BODY, field: "secret " * 100 if field != "prompt" else ["secret", 1]})
    assert "secret" not in str(refused.value)


def test_the_defaults_are_those_of_openai_and_not_of_the_card() -> None:
    job = single_job(parse_completion(BODY), kept=False)
    assert (job.max_new_tokens, job.do_sample, job.temperature, job.top_p) == (16, True, 1.0, 1.0)
    assert (job.top_k, job.repetition_penalty, job.num_return_sequences) == (0, 1.0, 1)
    assert job.return_full_text is False
    assert job.seed is None


@pytest.mark.parametrize("temperature", [0, 0.0, 0.0005])
def test_temperature_0_takes_the_likeliest_tokens(temperature: float) -> None:
    assert single_job(parse_completion({**BODY, "temperature": temperature}), kept=False).do_sample is False


def test_every_field_arrives_at_the_job() -> None:
    wanted = parse_completion(
        {
            **BODY,
            "max_tokens": 7,
            "temperature": 0.5,
            "top_p": 0.9,
            "n": 2,
            "stop": "\n",
            "seed": MAX_SEED,
            "echo": True,
            "user": "ann",
            "top_k": 40,
            "repetition_penalty": 1.2,
            "priority": "high",
            "deadline_s": 30,
        }
    )
    assert single_job(wanted, kept=True) == PredictRequest(
        text="Once upon a time",
        model="m",
        max_new_tokens=7,
        do_sample=True,
        temperature=0.5,
        top_p=0.9,
        num_return_sequences=2,
        stop=("\n",),
        seed=MAX_SEED,
        return_full_text=True,
        metadata={"user": "ann"},
        top_k=40,
        repetition_penalty=1.2,
        priority="high",
        deadline_s=30,
    )


def test_only_a_client_that_can_come_back_leaves_its_job_running() -> None:
    wanted = parse_completion(BODY)
    assert single_job(wanted, kept=False).cancel_on_disconnect is True
    assert single_job(wanted, kept=True).cancel_on_disconnect is False


def test_a_list_of_one_prompt_is_that_prompt() -> None:
    one, listed = parse_completion(BODY), parse_completion({**BODY, "prompt": [BODY["prompt"]]})
    assert not listed.is_list
    assert job_fields(one, one.prompt[0]) == job_fields(listed, listed.prompt[0])


def test_a_list_of_prompts_is_a_batch_whose_items_differ_in_their_text_alone() -> None:
    body = batch(parse_completion({**BODY, "prompt": ["a", "b"], "seed": 7, "deadline_s": 30}))
    items = [parse_item(raw.value, body.options) for raw in body.items]
    assert [item.text for item in items] == ["a", "b"]
    assert {item.seed for item in items} == {7}
    assert body.options.deadline_s == 30
