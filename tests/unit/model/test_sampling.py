"""Sampling by transformers' definitions."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    GPTNeoForCausalLM,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tasks.engine.types import SamplingParams
from tasks.model.errors import BrokenLogits
from tasks.model.sampling import Sampler, draw, penalize_repetition, probabilities

VOCABULARY_SIZE = 200


def random_logits(seed: int, spread: float = 3.0) -> torch.Tensor:
    return torch.randn(VOCABULARY_SIZE, generator=torch.Generator().manual_seed(seed)) * spread


def ours(logits: torch.Tensor, seen_ids: list[int], params: SamplingParams) -> torch.Tensor:
    seen = torch.zeros(len(logits), dtype=torch.bool)
    seen[seen_ids] = True
    return probabilities(penalize_repetition(logits, seen, params.repetition_penalty), params)


def theirs(logits: torch.Tensor, seen_ids: list[int], params: SamplingParams) -> torch.Tensor:
    processors: Any = LogitsProcessorList()
    processors.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    processors.append(TemperatureLogitsWarper(params.temperature))
    if params.top_k:
        processors.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        processors.append(TopPLogitsWarper(params.top_p))
    scores: torch.Tensor = processors(torch.tensor([seen_ids]), logits[None].clone())
    return scores[0].softmax(-1)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    spread=st.floats(0.1, 20),
    seen_ids=st.lists(st.integers(0, VOCABULARY_SIZE - 1), min_size=1, max_size=40),
    temperature=st.floats(0.05, 5),
    top_k=st.sampled_from([0, 1, 2, 50, VOCABULARY_SIZE, 10 * VOCABULARY_SIZE]),
    top_p=st.sampled_from([1.0, 0.95, 0.5, 1e-9]),
    repetition_penalty=st.floats(0.5, 3),
)
def test_probabilities_equal_those_of_transformers(
    seed: int, spread: float, seen_ids: list[int], **values: Any
) -> None:
    params = SamplingParams(do_sample=True, **values)
    logits = random_logits(seed, spread)
    torch.testing.assert_close(
        ours(logits, seen_ids, params), theirs(logits, seen_ids, params), rtol=1e-3, atol=1e-6
    )


def test_tokens_that_tie_with_the_last_of_top_k_all_stay() -> None:
    logits = torch.tensor([3.0, 1.0, 1.0, 1.0, 0.0])
    kept = probabilities(logits, SamplingParams(do_sample=True, top_k=2)) > 0
    assert kept.tolist() == [True, True, True, True, False]


def test_generate_applies_the_same_definitions_in_the_same_order(small_network: GPTNeoForCausalLM) -> None:
    options = {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.4}
    prompt = list(range(5, 30))
    ids = torch.tensor([prompt])
    call: Any = small_network.generate
    output = call(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        max_new_tokens=1,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
        output_logits=True,
        **options,
    )
    params = SamplingParams(do_sample=True, **options)  # type: ignore[arg-type]
    torch.testing.assert_close(
        ours(output.logits[0][0], prompt, params), output.scores[0][0].softmax(-1), rtol=1e-3, atol=1e-6
    )


def test_drawn_frequencies_follow_the_probabilities() -> None:
    probs = torch.tensor([0.5, 0.0, 0.3, 0.15, 0.05])
    generator = torch.Generator().manual_seed(3)
    counts = Counter(draw(probs, generator) for _ in range(5000))
    assert counts[1] == 0
    for id_, probability in enumerate(probs.tolist()):
        spread = math.sqrt(5000 * probability * (1 - probability))
        assert abs(counts[id_] - 5000 * probability) <= 4 * spread


def test_rounding_at_the_end_of_the_sum_draws_the_last_token_that_is_possible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor(1.0, dtype=torch.float64))
    assert draw(torch.tensor([0.5, 0.5, 0.0]), torch.Generator()) == 1


def test_the_smallest_temperature_takes_the_likeliest_token() -> None:
    params = SamplingParams(do_sample=True, temperature=1e-300)
    assert Sampler(params, [1], VOCABULARY_SIZE).sample(random_logits(1)) == int(random_logits(1).argmax())


def test_greedy_takes_the_likeliest_token_after_the_penalty() -> None:
    logits = torch.tensor([2.0, 1.9, -1.0])
    assert Sampler(SamplingParams(), [0], 3).sample(logits) == 0
    sampler = Sampler(SamplingParams(repetition_penalty=1.5), [0], 3)
    assert sampler.sample(logits) == 1
    # Now the tokens 0 and 1 are both in the text: 2.0/1.5 is larger than 1.9/1.5.
    assert sampler.sample(logits) == 0


def test_a_sampler_draws_the_same_tokens_from_the_same_seed() -> None:
    def some_tokens(seed: int) -> list[int]:
        sampler = Sampler(SamplingParams(do_sample=True, seed=seed), [1], VOCABULARY_SIZE)
        return [sampler.sample(random_logits(step)) for step in range(10)]

    torch.manual_seed(1)
    first = some_tokens(7)
    torch.manual_seed(2)
    assert some_tokens(7) == first
    assert some_tokens(8) != first


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_are_an_error(value: float) -> None:
    logits = random_logits(1)
    logits[3] = value
    with pytest.raises(BrokenLogits):
        Sampler(SamplingParams(), [1], VOCABULARY_SIZE).sample(logits)
