"""Choosing the next token, by transformers' definitions and in its order."""

from __future__ import annotations

import math
from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from tasks.engine.types import SamplingParams
from tasks.model.errors import BrokenLogits


class Sampler:
    """The next tokens of one sequence. What it draws depends on its own seed and logits alone."""

    def __init__(self, params: SamplingParams, prompt_ids: Rows[int], vocabulary_size: int) -> None:
        self._params = params
        self._generator = torch.Generator().manual_seed(params.seed)
        self._seen: Tensor | None = None  # [vocabulary] bool, only for the penalty
        if params.repetition_penalty != 1.0:
            self._seen = torch.zeros(vocabulary_size, dtype=torch.bool)
            self._seen[list(prompt_ids)] = True

    def sample(self, logits: Tensor) -> int:
        """The token that follows; logits: [vocabulary] float32. Raises BrokenLogits."""
        if not torch.isfinite(logits).all():
            raise BrokenLogits
        params = self._params
        if self._seen is not None:
            logits = penalize_repetition(logits, self._seen, params.repetition_penalty)
        if params.do_sample:
            token_id = draw(probabilities(logits, params), self._generator)
        else:
            token_id = int(logits.argmax())
        if self._seen is not None:
            self._seen[token_id] = True
        return token_id


def penalize_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the tokens that are in the text already less likely; logits, seen: [vocabulary]."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def probabilities(logits: Tensor, params: SamplingParams) -> Tensor:
    """What to draw from: temperature, top-k, top-p, softmax; [vocabulary] → [vocabulary]."""
    # Less the largest first, so that no temperature, however small, makes all of them infinite.
    logits = (logits - logits.max()) / max(params.temperature, torch.finfo(logits.dtype).tiny)
    if params.top_k:
        logits = keep_top_k(logits, params.top_k)
    if params.top_p < 1.0:
        logits = keep_top_p(logits, params.top_p)
    return logits.softmax(-1)


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Drop what is below the k-th largest; ties with it stay. [vocabulary] → [vocabulary]"""
    smallest = logits.topk(min(top_k, len(logits))).values[-1]
    return logits.masked_fill(logits < smallest, -math.inf)


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Keep the fewest tokens that hold `top_p` of the probability, at least one; shapes as above."""
    ascending, order = logits.sort()
    drop = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
    drop[-1] = False
    return logits.masked_fill(drop.scatter(0, order, drop), -math.inf)


def draw(probs: Tensor, generator: torch.Generator) -> int:
    """Draw an id by one uniform number: the first id at which the running sum exceeds it. probs: [vocabulary]

    One number per token, whatever the vocabulary, and ids in their own order: so a faster way to the same
    probabilities draws the same text.
    """
    ids = probs.nonzero().squeeze(-1)  # [kept]
    sums = probs[ids].double().cumsum(0)  # [kept]
    uniform = torch.rand((), dtype=torch.float64, generator=generator)
    place = torch.searchsorted(sums, uniform * sums[-1], right=True)
    # Rounding may make the product equal to the whole sum.
    return int(ids[min(int(place), len(ids) - 1)])
