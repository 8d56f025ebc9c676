"""Prompts that share their beginning say what transformers says, and run it once."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GPTNeoForCausalLM

from tasks.engine.engine import Engine
from tasks.engine.generation import Generation
from tasks.engine.scheduler import MIN_AWAITED_TOKENS
from tasks.engine.types import SamplingParams
from tasks.model.errors import BrokenLogits
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.step_plan import Plan
from tasks.model.torch_attention import TorchAttention
from tasks.model.weights import Weights, pack
from tests.fakes import make_request
from tests.models import random_config, random_network
from tests.reference import generate, numbers_engine, run_all, tokens

#: Around the window of 256 tokens and the pages of 128.
LENGTHS = (255, 256, 257, 300, 511, 512, 513, 640, 1000)
NUM_NEW = 6
BROKEN = 290  #: A token that no prompt has by chance.
CONFIG = random_config(vocab_size=300, max_position_embeddings=1100, window_size=256)

Continuation = Callable[[tuple[int, ...]], list[int]]


@pytest.fixture(scope="module")
def network() -> GPTNeoForCausalLM:
    return random_network(CONFIG)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return pack(random_network(CONFIG))


@pytest.fixture(scope="module")
def expected(network: GPTNeoForCausalLM) -> Continuation:
    @cache
    def continuation(prompt: tuple[int, ...]) -> list[int]:
        return generate(network, prompt, NUM_NEW, eos_token_id=None)

    return continuation


def shared(length: int) -> tuple[int, ...]:
    rng = random.Random(length)
    return tuple(rng.randrange(1, BROKEN) for _ in range(length))


def prompts(length: int) -> list[tuple[int, ...]]:
    """One beginning, and five ways to go on; the first is not to."""
    return [shared(length), *((*shared(length), *shared(own)[-own:]) for own in (1, 2, 40, 90))]


def new_engine(
    weights: Weights, *, num_slots: int = 8, max_prefill_tokens: int = 128, **sizes: Any
) -> Engine:
    sizes = {"num_prefix_tokens": 2048, "num_kv_tokens": 16384} | sizes
    runner = GPTNeoRunner(weights, num_slots=num_slots, eos_token_ids=frozenset(), **sizes)
    return numbers_engine(runner, max_prefill_tokens=max_prefill_tokens)


def submit(engine: Engine, prompt: tuple[int, ...], **sampling: Any) -> Generation:
    return engine.submit(
        make_request(prompt_ids=prompt, max_new_tokens=NUM_NEW, sampling=SamplingParams(**sampling))
    )


def num_reused(engine: Engine) -> int:
    """Tokens that were not run until everything was done."""
    total = 0
    while engine.has_work:
        total += engine.step().num_reused_tokens
    return total


@pytest.mark.parametrize("max_prefill_tokens", [128, 100, 1000])
@pytest.mark.parametrize("length", LENGTHS)
def test_prompts_that_arrive_together_equal_generate(
    weights: Weights, expected: Continuation, length: int, max_prefill_tokens: int
) -> None:
    engine = new_engine(weights, max_prefill_tokens=max_prefill_tokens)
    generations = [submit(engine, prompt) for prompt in prompts(length)]
    # The first prompt may lack the token after the last page, or be nothing but pages.
    assert num_reused(engine) >= 3 * (length // 128 * 128)
    for generation in generations:
        assert tokens(generation) == expected(generation.request.prompt_ids)


@pytest.mark.parametrize("max_prefill_tokens", [128, 37])
@pytest.mark.parametrize("length", LENGTHS)
def test_prompts_one_after_another_in_the_same_slot_equal_generate(
    weights: Weights, expected: Continuation, length: int, max_prefill_tokens: int
) -> None:
    engine = new_engine(weights, num_slots=1, max_prefill_tokens=max_prefill_tokens)
    first, *others = [*prompts(length), shared(length)]
    submit(engine, first)
    assert num_reused(engine) == 0
    for prompt in others:
        generation = submit(engine, prompt)
        assert num_reused(engine) == min(length // 128, (len(prompt) - 1) // 128) * 128
        assert tokens(generation) == expected(prompt)


def test_without_the_cache_nothing_is_reused_and_the_texts_are_the_same(
    weights: Weights, expected: Continuation
) -> None:
    engine = new_engine(weights, num_prefix_tokens=0)
    generations = [submit(engine, prompt) for prompt in prompts(300)]
    assert num_reused(engine) == 0
    assert [tokens(each) for each in generations] == [expected(prompt) for prompt in prompts(300)]


def test_a_seed_gives_the_same_text_with_and_without_the_cache(weights: Weights) -> None:
    drawn = {"do_sample": True, "temperature": 0.9, "top_k": 50, "top_p": 0.95, "repetition_penalty": 1.2}
    texts = []
    for num_prefix_tokens in (0, 2048):
        engine = new_engine(weights, num_prefix_tokens=num_prefix_tokens)
        generations = [submit(engine, prompt, **drawn, seed=7) for prompt in prompts(513)]
        run_all(engine)
        texts.append([tokens(each) for each in generations])
    assert texts[0] == texts[1]


def test_16_prompts_that_arrive_together_run_their_512_shared_tokens_once(weights: Weights) -> None:
    engine = new_engine(weights, num_slots=16)
    for own in range(16):
        submit(engine, (*shared(512), *(own + 1 for _ in range(16))))
    num_run = 0
    while engine.has_work:
        num_run += engine.step().num_prefill_tokens
    assert num_run == 512 + 16 * 16


@pytest.mark.parametrize("max_prefill_tokens", [128, 37, 1000])
@pytest.mark.parametrize("length", [1, 2, 31, 32, 127, 128, 129, *LENGTHS])
def test_the_rows_of_one_prompt_run_it_once_and_equal_generate(
    weights: Weights, expected: Continuation, length: int, max_prefill_tokens: int
) -> None:
    engine = new_engine(weights, max_prefill_tokens=max_prefill_tokens)
    rows = [submit(engine, shared(length)) for _ in range(8)]
    whole_pages = (length - 1) // 128 * 128
    if length - whole_pages >= MIN_AWAITED_TOKENS:
        assert num_reused(engine) == 7 * (length - 1)
    else:
        assert num_reused(engine) >= 7 * whole_pages
    assert [tokens(each) for each in rows] == 8 * [expected(shared(length))]


@pytest.mark.parametrize(
    ("length", "num_written", "remembered"),
    [(30, 5, True), (30, 300, False), (300, 1, True), (300, 90, False)],
)
def test_a_prompt_from_which_another_goes_on_is_copied_as_long_as_that_remembers_it(
    weights: Weights, expected: Continuation, length: int, num_written: int, remembered: bool
) -> None:
    engine = new_engine(weights)
    writing = engine.submit(make_request(prompt_ids=shared(length), max_new_tokens=400))
    while writing.num_tokens < num_written:
        engine.step()
    generation = submit(engine, shared(length))
    assert num_reused(engine) == (length - 1 if remembered else length // 128 * 128)
    assert tokens(generation) == expected(shared(length))
    assert tokens(writing)[:NUM_NEW] == expected(shared(length))


def test_rows_of_one_prompt_draw_what_they_draw_alone(weights: Weights) -> None:
    drawn = {"do_sample": True, "temperature": 0.9, "top_k": 50, "top_p": 0.95, "repetition_penalty": 1.2}
    engine = new_engine(weights)
    together = [submit(engine, shared(300), **drawn, seed=seed) for seed in range(8)]
    run_all(engine)
    for seed, row in enumerate(together):
        engine = new_engine(weights, num_prefix_tokens=0)
        alone = submit(engine, shared(300), **drawn, seed=seed)
        run_all(engine)
        assert tokens(row) == tokens(alone)
    assert len({tuple(tokens(row)) for row in together}) == 8


def test_prompts_that_differ_anywhere_in_a_page_do_not_share_it(
    weights: Weights, expected: Continuation
) -> None:
    engine = new_engine(weights)
    whole = shared(300)
    submit(engine, whole)
    run_all(engine)
    for place, reused in ((0, 0), (127, 0), (128, 128), (255, 128), (256, 256)):
        changed = (*whole[:place], whole[place] + 1, *whole[place + 1 :])
        generation = submit(engine, changed)
        assert num_reused(engine) == reused
        assert tokens(generation) == expected(changed)


def test_a_prompt_that_is_canceled_half_way_leaves_whole_pages_only(
    weights: Weights, expected: Continuation
) -> None:
    engine = new_engine(weights, max_prefill_tokens=100)
    canceled = submit(engine, shared(640))
    for _ in range(5):  # 100, 28, 100, 28 and 100 tokens.
        engine.step()
    canceled.cancel()
    generation = submit(engine, shared(640))
    assert num_reused(engine) == 256
    assert tokens(generation) == expected(shared(640))


def test_what_is_written_after_the_prompt_is_not_kept(weights: Weights, expected: Continuation) -> None:
    engine = new_engine(weights, num_prefix_tokens=256)
    first = shared(256)
    writing = engine.submit(make_request(prompt_ids=first, max_new_tokens=140))
    while writing.num_tokens < 10:
        engine.step()
    submit(engine, (*first[:128], *shared(300)[:128]))  # Takes the room of the first prompt's second page.
    run_all(engine)
    generation = submit(engine, (*first, 1))
    # By now the rings of the one that wrote are full of what came later.
    assert num_reused(engine) == 128
    assert tokens(generation) == expected((*first, 1))


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_company_leaves_every_text_as_it_is(
    weights: Weights, expected: Continuation, data: st.DataObject
) -> None:
    """Prompts that share more or less join and leave at random, with little room for them and for what is
    kept, and some are canceled."""
    engine = new_engine(
        weights,
        num_slots=data.draw(st.integers(1, 4)),
        max_prefill_tokens=data.draw(st.integers(30, 300)),
        num_kv_tokens=data.draw(st.sampled_from([1, 2000])),
        num_prefix_tokens=data.draw(st.sampled_from([128, 384, 2048])),
    )
    choice = st.sampled_from([prompt for length in (255, 257, 513) for prompt in prompts(length)])
    generations = []
    for prompt in data.draw(st.lists(choice, min_size=4, max_size=8)):
        generations.append(submit(engine, prompt))
        for _ in range(data.draw(st.integers(0, 6))):
            engine.step()
        if data.draw(st.integers(0, 5)) == 0:
            generations[-1].cancel()
    stats = engine.step()
    while engine.has_work:
        stats = engine.step()
    assert stats.num_kv_tokens_in_use == 0
    for each in generations:
        whole = expected(each.request.prompt_ids)
        assert tokens(each) == whole[: each.num_tokens]
        assert each.cancel_requested or each.num_tokens == NUM_NEW


@pytest.fixture
def poisoned() -> Weights:
    """The same model, whose numbers break where it reads the token BROKEN."""
    network = random_network(CONFIG)
    # The head has rows of its own here, so only a text that holds this token is broken.
    network.lm_head.weight = torch.nn.Parameter(network.lm_head.weight.detach().clone())
    with torch.no_grad():
        network.transformer.wte.weight[BROKEN] = float("nan")
    return pack(network)


class Watched(TorchAttention):
    """Remembers the memory of every layer, and raises where it is told to."""

    def __init__(self) -> None:
        self.memory: dict[int, Tensor] = {}
        self.calls_until_failure: int | None = None

    def attend(self, query_key_value: Tensor, memory: Tensor, plan: Plan) -> Tensor:
        self.memory[memory.data_ptr()] = memory
        attended = super().attend(query_key_value, memory, plan)
        if self.calls_until_failure is not None:
            self.calls_until_failure -= 1
            if self.calls_until_failure == 0:
                raise RuntimeError("half-way through the layers")
        return attended

    def all_finite(self) -> bool:
        return all(bool(each.isfinite().all()) for each in self.memory.values())


def test_a_prompt_that_breaks_is_not_kept_from_there_on_and_leaves_no_trace(
    poisoned: Weights, expected: Continuation
) -> None:
    attention = Watched()
    engine = new_engine(poisoned, attention=attention)
    whole = shared(640)
    broken = submit(engine, (*whole[:200], BROKEN, *whole[201:]))
    while not broken.done:
        engine.step()
    assert isinstance(broken.error, BrokenLogits)
    assert attention.all_finite()
    again, twin = submit(engine, broken.request.prompt_ids), submit(engine, broken.request.prompt_ids)
    healthy = submit(engine, whole)
    assert num_reused(engine) == 3 * 128
    assert isinstance(again.error, BrokenLogits)
    assert isinstance(twin.error, BrokenLogits)
    assert tokens(healthy) == expected(whole)


def test_a_broken_prompt_that_is_canceled_before_anybody_saw_it_leaves_no_trace(poisoned: Weights) -> None:
    attention = Watched()
    engine = new_engine(poisoned, attention=attention)
    broken = submit(engine, (BROKEN, *shared(640)))
    engine.step()
    assert not attention.all_finite()
    broken.cancel()
    run_all(engine)
    assert attention.all_finite()


def test_a_step_that_fails_half_way_keeps_nothing_of_it(weights: Weights, expected: Continuation) -> None:
    attention = Watched()
    engine = new_engine(weights, attention=attention)
    failing = submit(engine, shared(640))
    engine.step()
    attention.calls_until_failure = 2
    engine.step()
    assert isinstance(failing.error, RuntimeError)
    generation = submit(engine, shared(640))
    assert num_reused(engine) == 128
    assert tokens(generation) == expected(shared(640))
