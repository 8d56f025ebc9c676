"""Choosing without the host chooses what `sample` chooses."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.engine.types import SamplingParams
from tasks.model.choice import BROKEN, IDLE_NUMBERS, UNSURE, choose, numbers_of
from tasks.model.errors import BrokenLogits
from tasks.model.sampling import Sampler, sample

PARAMS = st.builds(
    SamplingParams,
    do_sample=st.booleans(),
    temperature=st.sampled_from([1e-40, 0.5, 1.0, 3.0]),
    top_k=st.sampled_from([0, 1, 40, 400, 10**6]),
    top_p=st.sampled_from([0.1, 0.9, 1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.4, 0.7]),
    seed=st.integers(0, 1000),
)


@settings(max_examples=60, deadline=None)
@given(
    params=st.lists(PARAMS, min_size=1, max_size=4),
    vocabulary_size=st.sampled_from([50, 256, 257, 1000]),
    spread=st.sampled_from([0.0, 1.0, 6.0]),
    seed=st.integers(0, 1000),
)
def test_every_row_gets_the_token_that_sample_chooses_or_is_unsure(
    params: list[SamplingParams], vocabulary_size: int, spread: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(len(params), vocabulary_size, generator=generator)
    prompt_ids = list(range(0, vocabulary_size, 3))
    seen = torch.zeros(len(params), vocabulary_size, dtype=torch.bool)
    seen[:, prompt_ids] = True
    expected = sample(logits.clone(), [Sampler(each, prompt_ids) for each in params])

    uniforms = [Sampler(each, ()).uniform() for each in params]
    columns = [numbers_of(each, uniform) for each, uniform in zip(params, uniforms, strict=True)]
    chosen = choose(logits, seen, torch.tensor(columns, dtype=torch.float64).T).tolist()
    for token_id, answer, each in zip(chosen, expected, params, strict=True):
        assert token_id == answer or (token_id == UNSURE and each.do_sample)


def test_few_candidates_are_enough_for_usual_parameters() -> None:
    logits = 3 * torch.randn(8, 5000, generator=torch.Generator().manual_seed(0))
    params = SamplingParams(do_sample=True, temperature=0.9, top_k=50, top_p=0.95)
    numbers = torch.tensor([numbers_of(params, uniform / 8) for uniform in range(8)], dtype=torch.float64).T
    chosen = choose(logits, torch.zeros_like(logits, dtype=torch.bool), numbers)
    assert (chosen >= 0).all()
    assert len(chosen.unique()) > 1


def test_a_row_that_holds_no_numbers_is_broken_and_harms_no_other() -> None:
    drawn = numbers_of(SamplingParams(do_sample=True, top_k=5), 0.99)
    numbers = torch.tensor([drawn, IDLE_NUMBERS, drawn, IDLE_NUMBERS], dtype=torch.float64).T
    logits = torch.randn(4, 300, generator=torch.Generator().manual_seed(1))
    seen = torch.zeros(4, 300, dtype=torch.bool)
    healthy = choose(logits.clone(), seen, numbers).tolist()
    logits[0], logits[1, 7] = float("nan"), float("inf")
    assert choose(logits.clone(), seen, numbers).tolist() == [BROKEN, BROKEN, *healthy[2:]]
    assert isinstance(sample(logits[:1], [Sampler(SamplingParams(), ())])[0], BrokenLogits)
