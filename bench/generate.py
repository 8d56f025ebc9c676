"""transformers' `generate()` with the time of every token. Imports nothing of the project, so that the peers'
environments can use it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList


@dataclass(frozen=True)
class Batch:
    """What one call wrote."""

    tokens: list[list[int]]  #: Of each prompt, as many as it asked for.
    seconds: list[float]  #: From the call until each step's tokens were there.

    @property
    def num_tokens(self) -> int:
        return sum(map(len, self.tokens))


class StepClock(StoppingCriteria):
    """Never stops anything; `generate()` asks it after every step."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.seconds: list[float] = []

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        self.seconds.append(time.perf_counter() - self.started)
        return torch.zeros(len(input_ids), dtype=torch.bool)


def read_network(folder: Path | str) -> Any:
    """The model in float32, as transformers runs it."""
    network: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    return network.eval()


def generate(network: Any, prompts: Sequence[Sequence[int]], new_tokens: int | Sequence[int]) -> Batch:
    """Greedy texts of one static batch: padded on the left, written until the longest has all its tokens.
    The end token does not end a text."""
    wanted = [new_tokens] * len(prompts) if isinstance(new_tokens, int) else list(new_tokens)
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    clock = StepClock()
    output = network.generate(
        ids,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=max(wanted),
        eos_token_id=None,
        pad_token_id=0,
        stopping_criteria=StoppingCriteriaList([clock]),
    )
    rows = zip(output[:, width:].tolist(), wanted, strict=True)
    return Batch([row[:count] for row, count in rows], clock.seconds)
