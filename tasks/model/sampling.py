"""Choosing the next token of many sequences in one pass, by transformers' definitions and in its order."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from tasks.engine.types import SamplingParams
from tasks.model.drawing import draw, pick
from tasks.model.errors import BrokenLogits


class Sampler:
    """What one sequence brings to the choice: its parameters, its random numbers, the tokens it has seen."""

    def __init__(self, params: SamplingParams, prompt_ids: Rows[int]) -> None:
        self.params = params
        self._generator = torch.Generator().manual_seed(params.seed)
        self._uniform: float | None = None
        # Only for the penalty; a dict is a set in a fixed order.
        self._seen = dict.fromkeys(prompt_ids if params.repetition_penalty != 1.0 else ())

    def penalize(self, logits: Tensor) -> None:
        """Make the tokens that are in the text already less likely, in place; logits: [vocabulary]."""
        if not self._seen:
            return
        penalty = self.params.repetition_penalty
        seen = torch.tensor(list(self._seen))
        values = logits[seen]
        logits[seen] = torch.where(values < 0, values * penalty, values / penalty)

    def uniform(self) -> float:
        """The random number of the next token, from 0 to 1 (excluded): the same until one is accepted, so
        that a step that failed can be repeated."""
        if self._uniform is None:
            self._uniform = torch.rand((), dtype=torch.float64, generator=self._generator).item()
        return self._uniform

    def accept(self, token_id: int) -> None:
        """The token that was chosen: the text goes on behind it."""
        self._uniform = None
        if self._seen:
            self._seen[token_id] = None


def sample(logits: Tensor, samplers: Rows[Sampler], *, by_kernels: bool = False) -> list[int | Exception]:
    """The token that follows each row, or BrokenLogits; logits: [rows, vocabulary] float32, changed in place.

    A row's token depends on its own logits and sampler alone. `by_kernels`: the native ones may help. The
    samplers go on when all tokens are chosen: where this raises, none has.
    """
    for sampler, row_logits in zip(samplers, logits, strict=True):
        sampler.penalize(row_logits)
    healthy = _healthy(logits)
    tokens: list[int | Exception] = [BrokenLogits() for _ in samplers]
    greedy = [row for row in healthy if not samplers[row].params.do_sample]
    drawn = [row for row in healthy if samplers[row].params.do_sample]
    for rows, chosen in (
        (greedy, _likeliest(logits, greedy)),
        (drawn, _drawn(logits, drawn, samplers, by_kernels)),
    ):
        for row, token_id in zip(rows, chosen, strict=True):
            tokens[row] = token_id
    for sampler, token in zip(samplers, tokens, strict=True):
        if not isinstance(token, Exception):
            sampler.accept(token)
    return tokens


def _healthy(logits: Tensor) -> list[int]:
    """The rows that hold nothing but numbers."""
    # A sum is broken by what is broken in it. It is many times faster than looking at every number, which
    # is left for sums that may merely have been too large.
    sums = logits.sum(1).isfinite().tolist()
    return [row for row, finite in enumerate(sums) if finite or bool(logits[row].isfinite().all())]


def _likeliest(logits: Tensor, rows: list[int]) -> list[int]:
    if not rows:
        return []
    likeliest: list[int] = pick(logits, rows).argmax(1).tolist()
    return likeliest


def _drawn(logits: Tensor, rows: list[int], samplers: Rows[Sampler], by_kernels: bool) -> list[int]:
    if not rows:
        return []
    params = [samplers[row].params for row in rows]
    uniforms = torch.tensor([samplers[row].uniform() for row in rows], dtype=torch.float64)
    return draw(pick(logits, rows), params, uniforms, by_kernels=by_kernels)
