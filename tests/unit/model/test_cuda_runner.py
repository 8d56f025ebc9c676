"""The runner for GPUs, computed by the processor: it says what transformers says, in any company."""

from __future__ import annotations

import random
from collections.abc import Sequence as Rows
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from transformers import GPTNeoForCausalLM

from tasks.engine.errors import RunnerBroken
from tasks.engine.runner import Chunk, ModelRunner
from tasks.engine.types import GenerationRequest, SamplingParams
from tasks.model.cuda_runner import CudaRunner
from tasks.model.errors import BrokenLogits
from tasks.model.gpu import gpu_forms
from tasks.model.loading import LoadedModel
from tasks.model.precision import Precision
from tasks.model.weights import Weights, pack
from tests.fakes import make_request
from tests.models import break_a_token, random_config, random_network
from tests.reference import generate, numbers_engine, read_network, run_all, tokens

#: Around the window of 16, and up to 128 positions.
LENGTHS = (1, 2, 15, 16, 17, 40, 96)
NUM_NEW = 16


@pytest.fixture(scope="session")
def gpu_weights(pristine_folder: Path) -> Weights:
    """In the form that a GPU takes in float32."""
    return pack(read_network(pristine_folder), forms=gpu_forms(Precision.FLOAT32))


def new_runner(
    weights: Weights, num_slots: int, eos_token_ids: frozenset[int] = frozenset({0})
) -> CudaRunner:
    return CudaRunner(weights, num_slots=num_slots, eos_token_ids=eos_token_ids)


def prompt(length: int) -> tuple[int, ...]:
    rng = random.Random(length)
    return tuple(rng.randrange(1, 290) for _ in range(length))


def request(prompt_ids: Rows[int], max_new_tokens: int = NUM_NEW, **sampling: Any) -> GenerationRequest:
    return make_request(
        prompt_ids=tuple(prompt_ids), max_new_tokens=max_new_tokens, sampling=SamplingParams(**sampling)
    )


def texts(
    runner: ModelRunner, requests: Rows[GenerationRequest], max_prefill_tokens: int = 128
) -> list[list[int]]:
    engine = numbers_engine(runner, max_prefill_tokens=max_prefill_tokens)
    generations = [engine.submit(each) for each in requests]
    run_all(engine)
    return [tokens(each) for each in generations]


@cache
def expected(network: GPTNeoForCausalLM, prompt_ids: tuple[int, ...], num_new: int = NUM_NEW) -> list[int]:
    return generate(network, prompt_ids, num_new)


def test_the_last_position_of_the_context_can_be_used(
    gpu_weights: Weights, small_network: GPTNeoForCausalLM
) -> None:
    (text,) = texts(new_runner(gpu_weights, 1), [request(prompt(120), 8)])
    assert text == expected(small_network, prompt(120), 8)


def test_the_repetition_penalty_equals_that_of_generate(
    gpu_weights: Weights, small_network: GPTNeoForCausalLM
) -> None:
    # One slot: what the first text has seen must not count against the second.
    for num_slots in (1, 2):
        requests = [request(prompt(n), repetition_penalty=1.3) for n in (17, 40)]
        for each, text in zip(requests, texts(new_runner(gpu_weights, num_slots), requests), strict=True):
            assert text == generate(small_network, each.prompt_ids, NUM_NEW, repetition_penalty=1.3)
            assert text != expected(small_network, each.prompt_ids)


@pytest.mark.parametrize(
    "drawn",
    [
        {"top_k": 50, "top_p": 0.95},
        {"top_p": 0.8, "repetition_penalty": 1.2},
        {},  # From the whole vocabulary, which is more than the first candidates.
    ],
)
def test_a_seed_gives_the_text_that_the_processors_runner_gives_alone_and_in_company(
    gpu_weights: Weights, small_model: LoadedModel, drawn: dict[str, Any]
) -> None:
    requests = [
        request(prompt(n), 8, do_sample=True, temperature=0.9, seed=n, **drawn) for n in (1, 16, 40, 96)
    ]
    answers = texts(small_model.new_runner(4), requests)
    assert [texts(new_runner(gpu_weights, 1), [each])[0] for each in requests] == answers
    assert texts(new_runner(gpu_weights, 4), requests[::-1], max_prefill_tokens=20) == answers[::-1]


@pytest.mark.parametrize(
    ("prompt_ids", "max_new_tokens"),
    [((5, -1), 2), ((5, 300), 2), ((5, 10**9), 2), (tuple(range(1, 121)), 9)],
    ids=["negative", "first unknown", "huge", "too long"],
)
def test_a_text_that_cannot_be_run_is_refused_and_its_slot_is_used_again(
    gpu_weights: Weights, small_network: GPTNeoForCausalLM, prompt_ids: tuple[int, ...], max_new_tokens: int
) -> None:
    runner = new_runner(gpu_weights, 1)
    with pytest.raises(ValueError, match=r"vocabulary|context"):
        runner.admit(0, prompt_ids, max_new_tokens, SamplingParams())
    runner.release(0)
    assert texts(runner, [request(prompt(17))]) == [expected(small_network, prompt(17))]


def test_every_slot_has_room_for_a_whole_context_and_no_more(gpu_weights: Weights) -> None:
    runner = new_runner(gpu_weights, 3)
    assert runner.can_admit(runner.max_positions)
    assert not runner.can_admit(runner.max_positions + 1)
    runner.admit(1, prompt(5), 2, SamplingParams())
    assert (runner.num_kv_tokens_in_use, runner.num_kv_tokens) == (128, 3 * 128)
    runner.release(1)
    assert runner.num_kv_tokens_in_use == 0


def test_nothing_of_a_prompt_is_taken_from_another(gpu_weights: Weights) -> None:
    runner = new_runner(gpu_weights, 2)
    for slot in (0, 1):
        runner.admit(slot, prompt(40), 2, SamplingParams())
    assert (runner.page_tokens, runner.reuse(1, 0), runner.reuse(1, 7)) == (0, 0, 7)


def test_a_row_whose_numbers_break_fails_alone_and_leaves_nothing_to_the_next_one() -> None:
    network = random_network(random_config(vocab_size=100, max_position_embeddings=64, window_size=16))
    healthy_prompt = tuple(range(1, 20))
    before = generate(network, healthy_prompt, 10)
    broken_token = break_a_token(network, {*healthy_prompt, *before})
    weights = pack(network, forms=gpu_forms(Precision.FLOAT32))
    engine = numbers_engine(new_runner(weights, 2, eos_token_ids=frozenset()))
    beside = engine.submit(request(healthy_prompt, 10))
    # Longer than the next one, which shares its row: it leaves NaN where that one sees nothing yet.
    broken = engine.submit(request((broken_token,) * 40, 10, do_sample=True))
    following = [engine.submit(request(healthy_prompt, 10)) for _ in range(2)]
    run_all(engine)
    assert isinstance(broken.error, BrokenLogits)
    assert [tokens(each) for each in (beside, *following)] == [before] * 3


def test_bfloat16_chooses_tokens_that_are_likeliest_or_almost(
    pristine_folder: Path, small_network: GPTNeoForCausalLM
) -> None:
    weights = pack(read_network(pristine_folder), forms=gpu_forms(Precision.AUTO))
    assert weights.precision is Precision.BFLOAT16
    requests = [request(prompt(length)) for length in LENGTHS]
    for each, text in zip(requests, texts(new_runner(weights, 3), requests), strict=True):
        ids = torch.tensor([[*each.prompt_ids, *text]])
        with torch.inference_mode():
            logits = small_network(ids).logits[0, len(each.prompt_ids) - 1 : -1]  # [new, vocabulary]
        chosen = logits.gather(1, torch.tensor(text)[:, None])
        shortfall = (logits.amax(1, keepdim=True) - chosen) / logits.std(1, keepdim=True)
        assert shortfall.max() < 0.1


def test_an_error_of_the_gpu_breaks_the_runner_and_no_other_error_does(
    gpu_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = new_runner(gpu_weights, 1)
    runner.admit(0, (1, 2), 3, SamplingParams())
    for message, expected in (("CUDA error: misaligned address", RunnerBroken), ("shapes", RuntimeError)):
        monkeypatch.setattr(runner, "_decode", Mock(side_effect=RuntimeError(message)))
        monkeypatch.setattr(runner, "_prefill", Mock(side_effect=RuntimeError(message)))
        with pytest.raises(expected):
            runner.run([Chunk(slot=0, token_ids=(1, 2), start=0, emits=True)])
