"""Real sizes through the runner for GPUs, computed by the processor, against transformers' `generate()`."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tasks.model.cuda_runner import CudaRunner
from tasks.model.gpu import gpu_forms
from tasks.model.loading import load
from tasks.model.precision import Precision
from tasks.model.weights import pack
from tests.fakes import make_request
from tests.models import random_config, random_network
from tests.reference import generate, numbers_engine, read_network, run_all, tokens

STORY = "Once upon a time there was a little girl named Lily who loved to play in the garden. "
#: Tokens in the prompts: both sides of the 256-token window, and of 512 places read.
LENGTHS = (1, 130, 250, 257, 505, 600)
NUM_NEW = 12


@pytest.mark.parametrize(
    "name", ["shipped_folder", pytest.param("gpt_neo_125m_folder", marks=pytest.mark.slow)]
)
def test_greedy_texts_beyond_the_window_equal_generate(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    ids = load(str(folder)).encode(STORY * 60)
    network = read_network(folder)
    prompts = [ids[place : place + length] for place, length in enumerate(LENGTHS)]
    answers = [generate(network, prompt, NUM_NEW) for prompt in prompts]
    weights = pack(network, forms=gpu_forms(Precision.FLOAT32))
    runner = CudaRunner(weights, num_slots=3, eos_token_ids=frozenset({50256}))
    engine = numbers_engine(runner, max_prefill_tokens=400)
    generations = []
    for prompt in prompts:
        generations.append(engine.submit(make_request(prompt_ids=prompt, max_new_tokens=NUM_NEW)))
        engine.step()
    run_all(engine)
    assert [tokens(each) for each in generations] == answers


@pytest.mark.parametrize("max_prefill_tokens", [100, 1000])
def test_texts_that_read_more_and_more_places_equal_generate(max_prefill_tokens: int) -> None:
    network = random_network(random_config(vocab_size=300, max_position_embeddings=300, window_size=200))
    rng = Random(1)
    # They come to read 128, 256 and 300 places.
    prompts = [[rng.randrange(1, 290) for _ in range(length)] for length in (1, 120, 199, 250, 285)]
    answers = [generate(network, each, 15) for each in prompts]
    weights = pack(network, forms=gpu_forms(Precision.FLOAT32))
    runner = CudaRunner(weights, num_slots=3, eos_token_ids=frozenset({50256}))
    engine = numbers_engine(runner, max_prefill_tokens=max_prefill_tokens)
    generations = [engine.submit(make_request(prompt_ids=tuple(each), max_new_tokens=15)) for each in prompts]
    run_all(engine)
    assert [tokens(each) for each in generations] == answers
