"""Models of any shape that transformers runs: sizes that fill no register, windows of any length."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.model.forms import choose
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.precision import Kernels, Precision
from tasks.model.weights import pack
from tests.fakes import make_request
from tests.models import random_config, random_network
from tests.reference import generate, numbers_engine, run_all, tokens

SHAPES: dict[str, dict[str, Any]] = {
    "heads of 8": {"hidden_size": 40, "num_heads": 5},
    "heads of 16": {"hidden_size": 48, "num_heads": 3},
    "heads of 48": {"hidden_size": 96, "num_heads": 2},
    "heads of 128": {"hidden_size": 256, "num_heads": 2},
    "one head of 24": {"hidden_size": 24, "num_heads": 1},
    "an inner size of its own": {"intermediate_size": 72},
    "another activation": {"activation_function": "relu"},
    "a window of 1": {"window_size": 1},
    "a window of 7": {"window_size": 7},
    "a window longer than the context": {"window_size": 300},
    "local layers only": {"attention_types": [[["local"], 4]]},
    "global layers only": {"attention_types": [[["global"], 4]]},
    "one layer": {"num_layers": 1, "attention_types": [[["global"], 1]]},
    "a context of 50": {"max_position_embeddings": 50},
}
SMALL = {
    "vocab_size": 203,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "max_position_embeddings": 96,
    "window_size": 16,
}
PROMPTS = [tuple(7 * place % 199 + 1 for place in range(length)) for length in (1, 13, 17, 40)]
NUM_NEW = 8


@pytest.mark.parametrize("kernels", Kernels)
@pytest.mark.parametrize("shape", SHAPES)
def test_its_texts_equal_those_of_generate(shape: str, kernels: Kernels) -> None:
    config = random_config("tiny", **{**SMALL, **SHAPES[shape]})
    expected = [generate(random_network(config), prompt, NUM_NEW) for prompt in PROMPTS]
    weights = pack(random_network(config), choose(Precision.FLOAT32, kernels))
    runner = GPTNeoRunner(weights, num_slots=3, eos_token_ids=frozenset({0}), num_prefix_tokens=256)
    engine = numbers_engine(runner, max_prefill_tokens=11)
    generations = [
        engine.submit(make_request(prompt_ids=prompt, max_new_tokens=NUM_NEW)) for prompt in PROMPTS
    ]
    run_all(engine)
    assert [tokens(each) for each in generations] == expected
