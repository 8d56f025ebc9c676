from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidParameters, PromptTooLong
from api.request import parse_request
from api.resolve import SEED_RANGE, resolve_parameters
from tasks.jobs.card import ModelCard
from tasks.jobs.models import Parameters
from tests.factories import make_card


def resolve(num_prompt_tokens: int = 4, card: ModelCard | None = None, **body: Any) -> Parameters:
    return resolve_parameters(parse_request({"text": "a", **body}), card or make_card(), num_prompt_tokens)


@pytest.mark.parametrize(
    ("num_prompt_tokens", "max_new_tokens"),
    [(1, 49), (4, 46), (30, 20), (31, 20), (1000, 20), (2040, 8), (2047, 1)],
)
def test_without_a_length_there_are_50_tokens_but_at_least_20_new(
    num_prompt_tokens: int, max_new_tokens: int
) -> None:
    assert resolve(num_prompt_tokens).max_new_tokens == max_new_tokens


def test_the_card_may_say_another_length() -> None:
    card = make_card(generation_defaults={"max_length": 100})
    assert resolve(4, card).max_new_tokens == 96


def test_max_length_counts_the_prompt() -> None:
    assert resolve(4, max_length=50).max_new_tokens == 46
    assert resolve(4, max_length=5).max_new_tokens == 1
    assert resolve(4, max_length=2048).max_new_tokens == 2044


def test_max_new_tokens_does_not_count_the_prompt() -> None:
    assert resolve(4, max_new_tokens=50).max_new_tokens == 50
    assert resolve(4, max_new_tokens=2044).max_new_tokens == 2044


@pytest.mark.parametrize("max_length", [1, 4])
def test_a_length_that_the_prompt_fills_is_refused_with_both_numbers(max_length: int) -> None:
    with pytest.raises(PromptTooLong, match=rf"prompt's 4 tokens \(given: {max_length}\)"):
        resolve(4, max_length=max_length)


@pytest.mark.parametrize("body", [{}, {"max_length": 2049}, {"max_new_tokens": 1}])
def test_a_prompt_that_fills_the_model_is_refused_with_both_numbers(body: dict[str, int]) -> None:
    with pytest.raises(PromptTooLong, match="2048 tokens, and the model holds 2048"):
        resolve(2048, **body)


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"max_length": 2049}, 2048),
        ({"max_new_tokens": 2045}, 2044),
        ({"max_new_tokens": 10**9}, 2044),
    ],
)
def test_a_length_beyond_the_model_is_refused_with_the_limit(body: dict[str, int], limit: int) -> None:
    (given,) = body.values()
    with pytest.raises(InvalidParameters, match=rf"at most {limit}.*given: {given}"):
        resolve(4, **body)


@given(
    num_prompt_tokens=st.integers(1, 3000),
    lengths=st.one_of(
        st.just({}),
        st.fixed_dictionaries({"max_length": st.integers(1, 3000)}),
        st.fixed_dictionaries({"max_new_tokens": st.integers(1, 3000)}),
    ),
)
def test_a_length_is_accepted_exactly_when_it_fits(num_prompt_tokens: int, lengths: dict[str, int]) -> None:
    last = lengths.get("max_length", num_prompt_tokens + lengths.get("max_new_tokens", 1))
    if num_prompt_tokens < last <= 2048:
        max_new_tokens = resolve(num_prompt_tokens, **lengths).max_new_tokens
        assert max_new_tokens == last - num_prompt_tokens or not lengths
        assert 1 <= max_new_tokens <= 2048 - num_prompt_tokens
    else:
        with pytest.raises(InvalidParameters):
            resolve(num_prompt_tokens, **lengths)


def test_the_client_comes_before_the_card_and_the_card_before_transformers() -> None:
    card = make_card(generation_defaults={"do_sample": True, "temperature": 0.9, "top_k": None})

    resolved = resolve(card=card, temperature=0.5)
    assert (resolved.do_sample, resolved.temperature) == (True, 0.5)
    assert (resolved.top_k, resolved.top_p, resolved.repetition_penalty) == (50, 1.0, 1.0)
    assert resolve(card=card).temperature == 0.9
    assert resolve(card=card, do_sample=False, top_k=0).top_k == 0
    assert resolve(card=make_card(generation_defaults={})).do_sample is False


def test_a_seed_is_drawn_when_none_is_given() -> None:
    drawn = {resolve().seed for _ in range(50)}

    assert len(drawn) == 50
    assert all(0 <= seed < SEED_RANGE for seed in drawn)
    assert resolve(seed=0).seed == 0
    assert resolve(seed=2**63 - 1).seed == 2**63 - 1


def test_several_texts_need_sampling() -> None:
    assert resolve(num_return_sequences=8).num_return_sequences == 8
    with pytest.raises(InvalidParameters, match="must be 1 when do_sample is false"):
        resolve(num_return_sequences=2, do_sample=False)


def test_the_last_text_needs_a_seed_too() -> None:
    options: dict[str, Any] = {"do_sample": True, "num_return_sequences": 2}
    assert resolve(seed=2**63 - 2, **options).seed == 2**63 - 2
    with pytest.raises(InvalidParameters):
        resolve(seed=2**63 - 1, **options)
