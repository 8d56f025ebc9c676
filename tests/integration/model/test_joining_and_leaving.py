"""Sequences that join and leave at random change no text, on the processor's runner and the GPUs' one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.engine.runner import ModelRunner
from tasks.model.cuda_runner import CudaRunner
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.gpu import gpu_forms
from tasks.model.precision import Precision
from tasks.model.weights import pack
from tests.fakes import make_request
from tests.models import random_config, random_network
from tests.reference import generate, numbers_engine, run_all, tokens

#: Around the window of 16, and up to 128 positions.
LENGTHS = (1, 2, 15, 16, 17, 40, 96)
NUM_NEW = 16
NO_END: frozenset[int] = frozenset()

config = random_config(vocab_size=300, max_position_embeddings=128, window_size=16)
network = random_network(config)
# Packing takes the weights out of a network.
weights = pack(random_network(config))
gpu_weights = pack(random_network(config), forms=gpu_forms(Precision.FLOAT32))

#: With so many slots and so much room for keys and values.
NewRunner = Callable[[int, int], ModelRunner]


def on_the_processor(num_slots: int, num_kv_tokens: int) -> ModelRunner:
    return GPTNeoRunner(weights, num_slots=num_slots, num_kv_tokens=num_kv_tokens, eos_token_ids=NO_END)


def as_on_a_gpu(num_slots: int, _num_kv_tokens: int) -> ModelRunner:
    return CudaRunner(gpu_weights, num_slots=num_slots, eos_token_ids=NO_END)


def prompt(length: int) -> tuple[int, ...]:
    rng = Random(length)
    return tuple(rng.randrange(1, 290) for _ in range(length))


@cache
def expected(prompt_ids: tuple[int, ...]) -> list[int]:
    return generate(network, prompt_ids, NUM_NEW)


@pytest.mark.parametrize("new_runner", [on_the_processor, as_on_a_gpu])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_company_leaves_every_text_as_it_is(new_runner: NewRunner, data: st.DataObject) -> None:
    """Sequences of mixed lengths join and leave at random, slots are used again, prompts come in chunks,
    some are canceled half-way: the others equal generate() token for token."""
    # The least room holds the longest request only.
    runner = new_runner(data.draw(st.integers(1, 5)), data.draw(st.sampled_from([0, 1, 150])))
    engine = numbers_engine(runner, max_prefill_tokens=data.draw(st.integers(1, 128)))
    generations = []
    for length in data.draw(st.permutations(LENGTHS)):
        num_new = data.draw(st.integers(1, NUM_NEW))
        generations.append(engine.submit(make_request(prompt_ids=prompt(length), max_new_tokens=num_new)))
        for _ in range(data.draw(st.integers(0, 6))):
            engine.step()
        if data.draw(st.integers(0, 5)) == 0:
            generations[-1].cancel()
    run_all(engine)

    for each in generations:
        assert tokens(each) == expected(each.request.prompt_ids)[: each.num_tokens]
        if not each.cancel_requested:
            assert each.num_tokens == each.request.max_new_tokens
