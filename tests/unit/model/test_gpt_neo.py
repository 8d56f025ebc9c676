"""The runner says what transformers says, alone and in any company."""

from __future__ import annotations

import random
from collections.abc import Sequence as Rows
from functools import cache
from typing import Any

import pytest
from transformers import GPTNeoForCausalLM

from tasks.engine.types import GenerationRequest, SamplingParams
from tasks.model.errors import BrokenLogits
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.loading import LoadedModel
from tasks.model.weights import pack
from tests.fakes import make_request
from tests.models import break_a_token, random_config, random_network
from tests.reference import generate, numbers_engine, run_all, tokens

#: Around the window of 16, and up to 128 positions.
LENGTHS = (1, 2, 15, 16, 17, 40, 96)
NUM_NEW = 16


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    rng = random.Random(1000 * seed + length)
    return tuple(rng.randrange(1, 290) for _ in range(length))


def request(prompt_ids: Rows[int], max_new_tokens: int = NUM_NEW, **sampling: Any) -> GenerationRequest:
    return make_request(
        prompt_ids=tuple(prompt_ids), max_new_tokens=max_new_tokens, sampling=SamplingParams(**sampling)
    )


@cache
def expected(
    network: GPTNeoForCausalLM, prompt_ids: tuple[int, ...], max_new_tokens: int = NUM_NEW
) -> list[int]:
    return generate(network, prompt_ids, max_new_tokens)


@pytest.mark.parametrize("max_prefill_tokens", [5, 128])
@pytest.mark.parametrize("length", LENGTHS)
def test_one_sequence_alone_equals_generate(
    small_model: LoadedModel, small_network: GPTNeoForCausalLM, length: int, max_prefill_tokens: int
) -> None:
    engine = numbers_engine(small_model.new_runner(1), max_prefill_tokens=max_prefill_tokens)
    generation = engine.submit(request(prompt(length)))
    run_all(engine)
    assert tokens(generation) == expected(small_network, prompt(length))


def test_the_reference_is_worth_comparing_with(small_network: GPTNeoForCausalLM) -> None:
    texts = [expected(small_network, prompt(length)) for length in LENGTHS]
    assert len({tuple(text) for text in texts}) == len(texts)
    assert min(len(set(text)) for text in texts) > NUM_NEW / 3


def test_the_repetition_penalty_equals_that_of_generate(
    small_model: LoadedModel, small_network: GPTNeoForCausalLM
) -> None:
    engine = numbers_engine(small_model.new_runner(2))
    generations = [engine.submit(request(prompt(n), repetition_penalty=1.3)) for n in (17, 40)]
    run_all(engine)
    for each in generations:
        ids = each.request.prompt_ids
        assert tokens(each) == generate(small_network, ids, NUM_NEW, repetition_penalty=1.3)
        assert tokens(each) != expected(small_network, ids)


def test_a_seed_gives_the_same_text_alone_and_in_company(small_model: LoadedModel) -> None:
    drawn = {"do_sample": True, "temperature": 0.9, "top_k": 50, "top_p": 0.95}
    requests = [request(prompt(n), **drawn, seed=n) for n in LENGTHS]
    alone = []
    for each in requests:
        engine = numbers_engine(small_model.new_runner(1))
        alone.append(engine.submit(each))
        run_all(engine)
    engine = numbers_engine(small_model.new_runner(4), max_prefill_tokens=20)
    together = [engine.submit(each) for each in reversed(requests)]
    run_all(engine)
    assert [tokens(each) for each in reversed(together)] == [tokens(each) for each in alone]

    other = numbers_engine(small_model.new_runner(1))
    generation = other.submit(request(prompt(40), **drawn, seed=41))
    run_all(other)
    assert tokens(generation) != tokens(alone[LENGTHS.index(40)])


def test_the_end_token_ends_the_text_as_in_generate(
    small_model: LoadedModel, small_network: GPTNeoForCausalLM
) -> None:
    text = expected(small_network, prompt(17))
    end = text[5]
    runner = GPTNeoRunner(small_model.weights, num_slots=1, eos_token_ids=frozenset({end}))
    engine = numbers_engine(runner)
    generation = engine.submit(request(prompt(17)))
    run_all(engine)
    assert tokens(generation) == generate(small_network, prompt(17), NUM_NEW, eos_token_id=end)
    assert tokens(generation) == text[: text.index(end) + 1]
    assert generation.finish_reason == "eos"


def test_the_last_position_of_the_context_can_be_used(
    small_model: LoadedModel, small_network: GPTNeoForCausalLM
) -> None:
    engine = numbers_engine(small_model.new_runner(1))
    generation = engine.submit(request(prompt(120), 8))
    run_all(engine)
    assert tokens(generation) == expected(small_network, prompt(120), 8)


@pytest.mark.parametrize("foreign", [-1, 300, 10**9])
def test_a_token_that_the_model_does_not_know_fails_its_own_row_alone(
    small_model: LoadedModel, small_network: GPTNeoForCausalLM, foreign: int
) -> None:
    engine = numbers_engine(small_model.new_runner(2))
    broken, healthy = engine.submit(request((5, foreign))), engine.submit(request(prompt(17)))
    run_all(engine)
    assert isinstance(broken.error, ValueError)
    assert tokens(healthy) == expected(small_network, prompt(17))


def test_a_row_whose_numbers_break_fails_alone() -> None:
    network = random_network(random_config(vocab_size=100, max_position_embeddings=64, window_size=16))
    healthy_prompt = tuple(range(1, 20))
    before = generate(network, healthy_prompt, 10)
    broken_token = break_a_token(network, {*healthy_prompt, *before})
    engine = numbers_engine(GPTNeoRunner(pack(network), num_slots=2, eos_token_ids=frozenset()))
    healthy = engine.submit(request(healthy_prompt, 10))
    broken = engine.submit(request((1, broken_token, 2), 10))
    run_all(engine)
    assert isinstance(broken.error, BrokenLogits)
    assert tokens(healthy) == before
