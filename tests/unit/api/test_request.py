from __future__ import annotations

from typing import Any

import pytest

from api.errors import InvalidParameters
from api.request import PredictRequest, parse_request

SECRET = "the owl keeps a secret"


def refusals(**body: Any) -> dict[str, str]:
    with pytest.raises(InvalidParameters) as refused:
        parse_request({"text": SECRET, **body})
    return {each.field: each.message for each in refused.value.errors}


def test_only_the_text_is_needed() -> None:
    request = parse_request({"text": "Hello"})

    assert request.priority == "normal"
    assert request.ttl_s == 3600
    assert request.num_return_sequences == 1
    assert request.return_full_text is True
    assert request.stop == ()
    assert request.metadata == {}
    assert request.deadline_s is request.max_length is request.seed is request.model is None


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("inputs", "called text"),
        ("max_tokens", "called max_new_tokens"),
        ("n", "called num_return_sequences"),
        ("prompt", "called text"),
        ("stream", "Accept: text/event-stream"),
    ],
)
def test_the_name_of_another_service_is_answered_with_ours(field: str, hint: str) -> None:
    (message,) = refusals(**{field: 1}).values()
    assert message.startswith("is not a field of this request; ")
    assert hint in message


def test_stop_may_be_one_string() -> None:
    assert parse_request({"text": "a", "stop": "\n"}).stop == ("\n",)
    assert parse_request({"text": "a", "stop": ["\n", "End"]}).stop == ("\n", "End")


def test_null_leaves_a_sampling_field_to_the_model() -> None:
    assert parse_request({"text": "a", "temperature": None, "seed": None}).temperature is None


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("max_length", 1, None),
        ("max_new_tokens", 1, None),
        ("temperature", 0.001, 100),
        ("top_k", 0, 1_000_000),
        ("top_p", 0.001, 1),
        ("repetition_penalty", 0.01, 100),
        ("seed", 0, 2**63 - 1),
        ("num_return_sequences", 1, 8),
        ("deadline_s", 0.001, 604800),
        ("ttl_s", 1, 604800),
    ],
)
def test_numbers_have_limits_that_a_refusal_names(field: str, low: float, high: float | None) -> None:
    assert getattr(parse_request({"text": "a", field: low}), field) == low
    below = refusals(**{field: low - 1})
    assert f"(given: {low - 1})" in below[field]
    if high is not None:
        assert getattr(parse_request({"text": "a", field: high}), field) == high
        above = refusals(**{field: high + 1})
        assert str(high) in above[field]
        assert f"(given: {high + 1})" in above[field]


@pytest.mark.parametrize("value", ["7", 1.5, True, [1], {}])
def test_a_whole_number_is_nothing_else(value: Any) -> None:
    assert list(refusals(max_length=value)) == ["max_length"]


@pytest.mark.parametrize("value", ["0.5", True, [0.5]])
def test_a_number_is_nothing_else(value: Any) -> None:
    assert list(refusals(temperature=value)) == ["temperature"]


@pytest.mark.parametrize("field", ["Text", "callback_url", "webhook_events_filter"])
def test_fields_that_nothing_reads_are_refused(field: str) -> None:
    assert refusals(**{field: "x"}) == {field: "is not a field of this request"}


def test_both_lengths_at_once_are_refused() -> None:
    assert "not both" in refusals(max_length=5, max_new_tokens=5)["max_length"]


def test_temperature_0_is_told_how_to_get_the_likeliest_tokens() -> None:
    hint = "for the likeliest token each time set do_sample to false"
    assert refusals(temperature=0)["temperature"].endswith(f"(given: 0); {hint}")
    assert hint not in refusals(temperature=-1)["temperature"]


def test_an_empty_text_is_refused() -> None:
    assert refusals(text="") == {"text": "must not be empty (given: 0 characters)"}


def test_stop_strings_are_few_short_and_not_empty() -> None:
    assert parse_request({"text": "a", "stop": ["x" * 256] * 16})
    assert "at most 16" in refusals(stop=["x"] * 17)["stop"]
    assert refusals(stop=["x" * 257, ""]).keys() == {"stop.0", "stop.1"}


def test_metadata_is_measured_as_utf8_json() -> None:
    fitting = {"k": "ü" * ((2048 - len('{"k":""}')) // 2)}

    assert parse_request({"text": "a", "metadata": fitting}).metadata == fitting
    assert "2048 bytes" in refusals(metadata={"k": "ü" * 1100})["metadata"]


def test_every_bad_field_is_named_at_once() -> None:
    assert refusals(top_p=2, priority="urgent", foo=1).keys() == {"top_p", "priority", "foo"}


def test_a_thousand_unknown_fields_make_a_short_answer() -> None:
    assert len(refusals(**{f"x{i}" * 50: i for i in range(1000)})) == 20


@pytest.mark.parametrize(
    "body",
    [
        {"text": [SECRET]},
        {"text": {"a": SECRET}},
        {"stop": SECRET * 20},
        {"stop": [SECRET * 20]},
        {"metadata": SECRET},
        {"metadata": {"a": SECRET * 200}},
        {"top_p": 7},
    ],
)
def test_a_refusal_never_repeats_what_is_private(body: dict[str, Any]) -> None:
    assert SECRET not in str(refusals(**body))


def test_the_digest_does_not_depend_on_how_the_json_was_written() -> None:
    digest = parse_request({"text": "a", "stop": ["x"], "metadata": {"a": 1, "b": 2}}).digest()

    same = {"metadata": {"b": 2, "a": 1}, "stop": "x", "ttl_s": 3600, "text": "a"}
    assert parse_request(same).digest() == digest
    assert parse_request({**same, "text": "b"}).digest() != digest


def test_a_release_that_knows_one_more_field_gives_the_same_digest() -> None:
    class LaterRequest(PredictRequest):
        beams: int = 1

    body = {"text": "a", "stop": ["x"], "ttl_s": 60}
    assert LaterRequest.model_validate(body).digest() == parse_request(body).digest()
    assert LaterRequest.model_validate({**body, "beams": 2}).digest() != parse_request(body).digest()
