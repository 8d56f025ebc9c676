"""Sampling by transformers' definitions, for many rows at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence as Rows
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    GPTNeoForCausalLM,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tasks.engine.types import SamplingParams
from tasks.model import drawing
from tasks.model.drawing import draw
from tasks.model.errors import BrokenLogits
from tasks.model.sampling import Sampler, sample

#: Some rows can be drawn from their candidates, some must be sorted whole.
NUM_CANDIDATES, MORE_CANDIDATES = 40, 100
VOCABULARY_SIZE = 300
#: Rounding of transformers' float32 probabilities.
TOLERANCE = 1e-5


@pytest.fixture(autouse=True, scope="module")
def few_candidates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "NUM_CANDIDATES", (NUM_CANDIDATES, MORE_CANDIDATES))
        yield


def random_logits(seed: int, spread: float = 3.0, size: int = VOCABULARY_SIZE) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * spread


def theirs(logits: Tensor, params: SamplingParams, seen_ids: Rows[int] = (0,)) -> Tensor:
    """Transformers' probabilities, [vocabulary]."""
    processors: Any = LogitsProcessorList()
    processors.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    processors.append(TemperatureLogitsWarper(params.temperature))
    if params.top_k:
        processors.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        processors.append(TopPLogitsWarper(params.top_p))
    scores: Tensor = processors(torch.tensor([list(seen_ids)]), logits[None].clone())
    return scores[0].double().softmax(-1)


def uniforms(count: int) -> Tensor:
    """Numbers spread evenly over 0 to 1."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def draw_many(logits: Tensor, params: SamplingParams, numbers: Tensor) -> list[int]:
    """What one row of logits draws by each of the uniform numbers."""
    return draw(logits.expand(len(numbers), -1), [params] * len(numbers), numbers)


def assert_drawn_by(probs: Tensor, numbers: Tensor, drawn: list[int]) -> None:
    """Each token is the one whose share of the sum over the ids holds its uniform number."""
    sums = probs.cumsum(0)
    ids = torch.tensor(drawn)
    assert bool((probs[ids] > 0).all())
    assert bool((sums[ids] - probs[ids] <= numbers + TOLERANCE).all())
    assert bool((sums[ids] >= numbers - TOLERANCE).all())


parameters = st.builds(
    SamplingParams,
    do_sample=st.booleans(),
    temperature=st.floats(0.05, 5),
    top_k=st.sampled_from(
        [0, 1, 2, 20, NUM_CANDIDATES, NUM_CANDIDATES + 1, MORE_CANDIDATES, 10 * VOCABULARY_SIZE]
    ),
    top_p=st.sampled_from([1.0, 0.95, 0.5, 1e-9]),
    repetition_penalty=st.just(1.0) | st.floats(0.5, 3),
    seed=st.integers(0, 2**63 - 1),
)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.floats(0.1, 20), params=parameters)
def test_tokens_are_drawn_from_the_distribution_of_transformers(
    seed: int, spread: float, params: SamplingParams
) -> None:
    logits, numbers = random_logits(seed, spread), uniforms(40)
    drawn = draw_many(logits, params, numbers)
    assert_drawn_by(theirs(logits, SamplingParams(**_limits(params))), numbers, drawn)


def _limits(params: SamplingParams) -> dict[str, Any]:
    return {"temperature": params.temperature, "top_k": params.top_k, "top_p": params.top_p}


def test_a_vocabulary_smaller_than_the_candidates_is_drawn_from() -> None:
    logits, numbers = random_logits(4, size=30), uniforms(100)
    params = SamplingParams(temperature=0.8, top_k=12, top_p=0.9)
    assert_drawn_by(theirs(logits, params), numbers, draw_many(logits, params, numbers))


@pytest.mark.parametrize("top_p", [1.0, 0.5])
@pytest.mark.parametrize("top_k", [2, NUM_CANDIDATES - 1, NUM_CANDIDATES, MORE_CANDIDATES])
def test_tokens_that_tie_with_the_last_of_top_k_all_stay(top_k: int, top_p: float) -> None:
    """Also where there are more of them than candidates: all are equal but for the first."""
    logits = torch.zeros(VOCABULARY_SIZE)
    logits[270], logits[3] = 4.0, -1.0
    numbers = uniforms(1000)
    drawn = draw_many(logits, SamplingParams(top_k=top_k, top_p=top_p), numbers)
    expected = theirs(logits, SamplingParams(top_k=top_k))
    if top_p < 1:
        # Among equal ones transformers keeps those that its sort happens to put last; we keep the first ids.
        heaviest = [270, *(id_ for id_ in range(VOCABULARY_SIZE) if id_ not in (270, 3))]
        sums = expected[heaviest].cumsum(0)
        dropped = [id_ for id_, before in zip(heaviest[1:], sums.tolist(), strict=False) if before >= top_p]
        expected[dropped] = 0
        expected /= expected.sum()
    assert_drawn_by(expected, numbers, drawn)


@pytest.mark.parametrize("greedy", [True, False])
def test_generate_applies_the_same_definitions_in_the_same_order(
    small_network: GPTNeoForCausalLM, greedy: bool
) -> None:
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
    params = SamplingParams(do_sample=not greedy, **options)  # type: ignore[arg-type]
    samplers = [Sampler(params, prompt) for _ in range(500)]
    numbers = uniforms(len(samplers))
    for sampler, number in zip(samplers, numbers.tolist(), strict=True):
        sampler.uniform = lambda number=number: number  # type: ignore[method-assign]
    drawn = [int(token) for token in sample(output.logits[0].expand(500, -1).clone(), samplers)]  # type: ignore[arg-type]
    probs = output.scores[0][0].double().softmax(-1)
    if greedy:
        assert set(drawn) == {int(probs.argmax())}
    else:
        assert_drawn_by(probs, numbers, drawn)


def test_drawn_frequencies_follow_the_probabilities() -> None:
    probs = torch.tensor([0.5, 1e-30, 0.3, 0.15, 0.05])
    samplers = [Sampler(SamplingParams(do_sample=True, seed=seed), [1]) for seed in range(5000)]
    counts = Counter(sample(probs.log().repeat(5000, 1), samplers))
    assert counts[1] == 0
    for id_, probability in enumerate(probs.tolist()):
        spread = math.sqrt(5000 * probability * (1 - probability))
        assert abs(counts[id_] - 5000 * probability) <= 4 * spread


@pytest.mark.parametrize("params", [SamplingParams(), SamplingParams(top_k=5), SamplingParams(top_p=0.999)])
def test_rounding_at_the_end_of_the_sum_draws_the_last_token_that_is_possible(params: SamplingParams) -> None:
    logits = torch.tensor([2.0, 1.0, 1.5, -1e4, 0.0, -1e4])
    assert draw_many(logits, params, torch.tensor([0.0, 1.0], dtype=torch.float64)) == [0, 4]


def test_the_smallest_temperature_takes_the_likeliest_token() -> None:
    for top_p in (1.0, 0.9):
        params = SamplingParams(do_sample=True, temperature=1e-300, top_p=top_p)
        assert sample(random_logits(1)[None], [Sampler(params, [1])]) == [int(random_logits(1).argmax())]


def test_greedy_takes_the_likeliest_token_after_the_penalty() -> None:
    def next_token(sampler: Sampler) -> int | Exception:
        (token,) = sample(torch.tensor([[2.0, 1.9, -1.0]]), [sampler])
        return token

    assert next_token(Sampler(SamplingParams(), [0])) == 0
    sampler = Sampler(SamplingParams(repetition_penalty=1.5), [0])
    assert next_token(sampler) == 1
    # Now the tokens 0 and 1 are both in the text: 2.0/1.5 is larger than 1.9/1.5.
    assert next_token(sampler) == 0


def some_tokens(samplers: list[Sampler], seeds: Rows[int], num_steps: int) -> list[list[int | Exception]]:
    """For each sampler its tokens; a row's logits are those of its seed and step."""
    rows: list[list[int | Exception]] = [[] for _ in samplers]
    for step in range(num_steps):
        logits = torch.stack([random_logits(1000 * seed + step, spread=1 + seed % 4) for seed in seeds])
        for row, token in zip(rows, sample(logits, samplers), strict=True):
            row.append(token)
    return rows


@settings(max_examples=20, deadline=None)
@given(params=st.lists(parameters, min_size=2, max_size=6))
def test_a_row_draws_the_same_tokens_alone_and_in_any_company(params: list[SamplingParams]) -> None:
    seeds = range(len(params))
    together = some_tokens([Sampler(each, [1, 2, 3]) for each in params], seeds, 3)
    for seed, each, row in zip(seeds, params, together, strict=True):
        torch.manual_seed(seed)  # What other code draws makes no difference.
        assert some_tokens([Sampler(each, [1, 2, 3])], [seed], 3) == [row]


def test_a_seed_draws_its_own_tokens() -> None:
    first, again, other = (Sampler(SamplingParams(do_sample=True, seed=seed), [1]) for seed in (7, 7, 8))
    rows = some_tokens([first, again, other], [1, 1, 1], 10)
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


@pytest.mark.parametrize("by_kernels", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_are_an_error_of_their_row_alone(value: float, by_kernels: bool) -> None:
    def logits_of(seed: int) -> Tensor:
        return random_logits(seed, size=2000)  # Enough of them for the kernels.

    logits = torch.stack([logits_of(seed) for seed in range(4)])
    logits[1, 3] = logits[2, 5] = value
    drawn = SamplingParams(do_sample=True, top_k=5)
    samplers = [Sampler(params, [1]) for params in (drawn, drawn, SamplingParams(), SamplingParams())]
    tokens = sample(logits, samplers, by_kernels=by_kernels)
    assert tokens[3] == int(logits_of(3).argmax())
    assert tokens[0] == sample(logits_of(0)[None], [Sampler(drawn, [1])])[0]
    assert [type(token) for token in tokens[1:3]] == [BrokenLogits, BrokenLogits]


def test_where_drawing_fails_no_sampler_has_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def new_samplers() -> list[Sampler]:
        greedy = SamplingParams(repetition_penalty=1.5)
        return [Sampler(greedy, [1]), Sampler(SamplingParams(do_sample=True, seed=7), [1])]

    def fail(*_: object, **__: object) -> list[int]:
        raise MemoryError

    samplers = new_samplers()
    with monkeypatch.context() as patch:
        patch.setattr("tasks.model.sampling.draw", fail)
        for _ in range(3):
            with pytest.raises(MemoryError):
                some_tokens(samplers, [1, 2], 1)
    assert some_tokens(samplers, [1, 2], 20) == some_tokens(new_samplers(), [1, 2], 20)


def test_a_penalty_that_makes_logits_infinite_breaks_its_row_alone() -> None:
    logits = torch.stack([random_logits(1).abs(), random_logits(2)])
    extreme = SamplingParams(do_sample=True, repetition_penalty=1e-300)
    tokens = sample(logits, [Sampler(extreme, [1, 2, 3]), Sampler(SamplingParams(), [1])])
    assert isinstance(tokens[0], BrokenLogits)
    assert tokens[1] == int(random_logits(2).argmax())


def test_logits_whose_sum_is_too_large_for_a_number_are_no_error() -> None:
    logits = torch.full((1, 10), 1e38)
    logits[0, 4] = 2e38
    assert sample(logits, [Sampler(SamplingParams(), [1])]) == [4]
