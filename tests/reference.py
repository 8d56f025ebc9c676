"""What transformers' own `generate()` says, and our engine asked the same."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

import torch
from transformers import GPTNeoForCausalLM

from tasks.engine.engine import Engine
from tasks.engine.generation import Generation
from tasks.engine.runner import ModelRunner
from tasks.engine.scheduler import Scheduler
from tasks.engine.types import GenerationRequest


def read_network(folder: Path | str) -> GPTNeoForCausalLM:
    """The model in `folder` as transformers runs it, in float32."""
    network: GPTNeoForCausalLM = GPTNeoForCausalLM.from_pretrained(folder, dtype=torch.float32)
    network.train(False)
    return network


def generate(
    network: GPTNeoForCausalLM, prompt_ids: Rows[int], max_new_tokens: int, **options: Any
) -> list[int]:
    """The new tokens of one prompt alone, greedy unless told otherwise; the end token included."""
    ids = torch.tensor([list(prompt_ids)])
    call: Any = getattr(network, "generate")  # noqa: B009 its own type forbids the call
    output = call(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=max_new_tokens,
        pad_token_id=network.config.eos_token_id,
        **{"do_sample": False, **options},
    )
    new_ids: list[int] = output[0, len(prompt_ids) :].tolist()
    return new_ids


class Numbers:
    """A detokenizer whose text is the numbers of the tokens."""

    def __init__(self, _request: GenerationRequest) -> None:
        pass

    def add(self, token_id: int) -> str:
        return f"{token_id} "

    def flush(self) -> str:
        return ""


def numbers_engine(runner: ModelRunner, *, max_prefill_tokens: int = 128) -> Engine:
    """An engine whose texts `tokens` reads."""
    scheduler = Scheduler(
        num_slots=runner.num_slots, max_prefill_tokens=max_prefill_tokens, page_tokens=runner.page_tokens
    )
    return Engine(runner, scheduler, Numbers)


def tokens(generation: Generation) -> list[int]:
    if generation.error is not None:
        raise generation.error
    return [int(number) for number in generation.text.split()]


def run_all(engine: Engine) -> None:
    while engine.has_work:
        engine.step()
