"""How far the forms of the weights are from each other: the same texts, forced, through each of them."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.linear import Linear
from tasks.model.pages import PAGE_TOKENS, num_pages
from tasks.model.weights import Weights


class Recorder(Linear):
    """A vocabulary matrix that remembers what it computed."""

    def __init__(self, head: Linear) -> None:
        self._head = head
        self.logits: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        logits = self._head(x)
        self.logits.append(logits.clone())
        return logits


@torch.no_grad()
def forced_log_probabilities(weights: Weights, texts: Rows[Rows[int]], num_forced: int) -> Tensor:
    """What the model says before each of the last `num_forced` tokens of the texts, which run together, a
    token of each in every step; [texts, forced, vocabulary]."""
    recorder = Recorder(weights.head)
    runner = GPTNeoRunner(
        replace(weights, head=recorder),
        num_slots=len(texts),
        eos_token_ids=frozenset(),
        num_kv_tokens=sum(PAGE_TOKENS * num_pages(len(text)) for text in texts),
    )
    for slot, text in enumerate(texts):
        runner.admit(slot, text[:-num_forced], num_forced, SamplingParams())
        runner.run([Chunk(slot=slot, token_ids=text[: -num_forced - 1], start=0, emits=False)])
    for place in range(-num_forced - 1, -1):
        runner.run(
            [
                Chunk(slot=slot, token_ids=[text[place]], start=len(text) + place, emits=True)
                for slot, text in enumerate(texts)
            ]
        )
    return torch.stack(recorder.logits, dim=1).log_softmax(-1)


@dataclass(frozen=True)
class Distance:
    """Of one form's predictions from those of float32, over all places."""

    divergence: float  #: Kullback-Leibler, mean over the places, in nats.
    largest_divergence: float  #: At one place.
    agreement: float  #: Share of the places where the likeliest token is the same.
    loss: float  #: Mean negative log-likelihood of the texts' own tokens, in nats, less that of float32.


def distance(ours: Tensor, exact: Tensor, texts: Rows[Rows[int]]) -> Distance:
    """Both as from `forced_log_probabilities` for `texts`."""
    divergence = (exact.exp() * (exact - ours)).sum(-1)  # [texts, forced]
    num_forced = ours.shape[1]
    next_ids = torch.tensor([list(text[-num_forced:]) for text in texts])[..., None]
    return Distance(
        divergence=divergence.mean().item(),
        largest_divergence=divergence.max().item(),
        agreement=(ours.argmax(-1) == exact.argmax(-1)).double().mean().item(),
        loss=(exact.gather(-1, next_ids) - ours.gather(-1, next_ids)).mean().item(),
    )
