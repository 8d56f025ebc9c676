"""Choosing the next tokens without asking the host: tasks.model.sampling for work that a GPU has recorded."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.engine.types import SamplingParams
from tasks.model.drawing import NUM_CANDIDATES, Limits, draw_sorted, largest, temperature_of

#: In place of a token: the logits are no numbers.
BROKEN = -1
#: In place of a token: it takes more than the first candidates to draw it, so tasks.model.drawing must.
UNSURE = -2
#: The numbers of a row that nobody reads.
IDLE_NUMBERS = (0.0, 1.0, 0.0, 1.0, 1.0, 0.0)


def numbers_of(params: SamplingParams, uniform: float) -> tuple[float, ...]:
    """One column of what `choose` takes; a double holds each of them exactly."""
    return (
        float(params.do_sample),
        temperature_of(params),
        float(params.top_k),
        params.top_p,
        params.repetition_penalty,
        uniform,
    )


def choose(logits: Tensor, seen: Tensor, numbers: Tensor) -> Tensor:
    """The token that follows each row, or BROKEN or UNSURE: [rows] int64.

    logits: [rows, vocabulary] float32, changed in place as the repetition penalty demands; seen: [rows,
    vocabulary], the tokens that are in the texts; numbers: [6, rows] float64, columns as from `numbers_of`.
    Nothing here depends on a value: the same kernels run whatever the rows hold.
    """
    do_sample, temperature, top_k, top_p, penalty, uniforms = numbers[:, :, None].unbind()  # each [rows, 1]
    scale = penalty.float()
    penalized = torch.where(logits < 0, logits * scale, logits / scale)
    logits.copy_(torch.where(seen, penalized, logits))
    finite = logits.isfinite().all(1)
    # No number at all would lead to a place outside of the tensors below.
    healthy = logits.masked_fill(~finite[:, None], 0)
    unlimited = top_k == 0
    limits = Limits(
        temperature=temperature,
        top_k=top_k.masked_fill(unlimited, logits.shape[1]).clamp(max=logits.shape[1]).long(),
        top_p=top_p,
        mass=_mass(healthy, temperature).masked_fill(~unlimited, torch.inf),
    )
    drawn, certain = draw_sorted(*largest(healthy, NUM_CANDIDATES[0]), limits, uniforms)
    drawn = drawn.masked_fill(~certain, UNSURE)
    tokens = torch.where(do_sample[:, 0] > 0, drawn, healthy.argmax(1))
    return tokens.masked_fill(~finite, BROKEN)


def _mass(logits: Tensor, temperature: Tensor) -> Tensor:
    """What the whole vocabulary weighs, where its likeliest token weighs 1: [rows, 1] float64."""
    scaled = (logits - logits.amax(1, keepdim=True)) / temperature.float()
    return scaled.exp_().sum(1, keepdim=True, dtype=torch.float64)
