"""Drawing tokens at random: temperature, top-k, top-p, then one uniform number for each row.

Most rows can draw only a few dozen of the vocabulary's tokens, so a row's largest logits, its candidates,
are looked at first; a row that might keep more than these is sorted whole. All ways keep the same tokens,
add their weights up in the same order and so draw the same token.
"""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from tasks.engine.types import SamplingParams
from tasks.model.native import largest as native

#: How many are looked at before the whole row is: enough for usual values of top-k, then for top-p on all but
#: flat distributions.
NUM_CANDIDATES = (256, 4096)


@dataclass(frozen=True, slots=True)
class Limits:
    """The parameters of some rows, each [rows, 1]."""

    temperature: Tensor  #: float64
    top_k: Tensor  #: int64; the whole vocabulary where it is not limited.
    top_p: Tensor  #: float64
    #: What the weights of top-p add up to; infinite where it is the sum of what top-k keeps. float64
    mass: Tensor

    def of(self, rows: Tensor) -> Limits:
        return Limits(self.temperature[rows], self.top_k[rows], self.top_p[rows], self.mass[rows])


def draw(
    logits: Tensor, params: Rows[SamplingParams], uniforms: Tensor, *, by_kernels: bool = False
) -> list[int]:
    """One token for each row; logits: [rows, vocabulary] float32, finite; uniforms: [rows] float64, on the
    same device.

    A row draws the first token, in the order of their ids, at which the running sum of the probabilities
    exceeds its uniform number: one number per token, whatever the vocabulary and the way to the sums.
    `by_kernels`: the native ones may look for the largest logits.
    """
    tokens = [0] * len(params)
    whole = [row for row, each in enumerate(params) if not each.top_k and each.top_p >= 1]
    limited = [row for row, each in enumerate(params) if each.top_k or each.top_p < 1]
    draw_limited = partial(_draw_limited, by_kernels=by_kernels)
    for rows, choose in ((whole, _draw_whole), (limited, draw_limited)):
        if rows:
            drawn = choose(pick(logits, rows), [params[row] for row in rows], uniforms[rows, None])
            for row, token_id in zip(rows, drawn, strict=True):
                tokens[row] = token_id
    return tokens


def pick(tensor: Tensor, rows: list[int] | Tensor) -> Tensor:
    """These rows, in this order; a copy unless they are all."""
    return tensor if len(rows) == len(tensor) else tensor[rows]


def _draw_whole(logits: Tensor, params: list[SamplingParams], uniforms: Tensor) -> list[int]:
    """Any token of the vocabulary, without sorting."""
    temperature = _column([temperature_of(each) for each in params], logits.device)
    weights = ((logits.double() - logits.amax(1, keepdim=True)) / temperature).exp_()
    places: list[int] = _place(weights, uniforms).squeeze(1).tolist()
    return places


def _draw_limited(
    logits: Tensor, params: list[SamplingParams], uniforms: Tensor, *, by_kernels: bool
) -> list[int]:
    limits = _limits(logits, params)
    tokens = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    rows = torch.arange(len(logits), device=logits.device)  # Those whose tokens are not certain yet.
    for size in (*NUM_CANDIDATES, logits.shape[1]):
        values, ids = largest(pick(logits, rows), size, by_kernels=by_kernels)
        tokens[rows], certain = draw_sorted(values, ids, limits.of(rows), uniforms[rows])
        rows = rows[~certain]
        if not len(rows) or size >= logits.shape[1]:
            break
    drawn: list[int] = tokens.tolist()
    return drawn


def largest(logits: Tensor, size: int, *, by_kernels: bool = False) -> tuple[Tensor, Tensor]:
    """The `size` largest of each row in descending order, equal ones in the order of their ids."""
    if size >= logits.shape[1]:
        values, ids = logits.sort(dim=1, descending=True, stable=True)
        return values, ids
    if by_kernels and native.serves(logits, size):
        return native.largest(logits, size)
    values, ids = logits.topk(size, sorted=False)
    ids, order = ids.sort(1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, ids.gather(1, order)


def draw_sorted(values: Tensor, ids: Tensor, limits: Limits, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw from a row's largest logits, in descending order; values, ids: [rows, candidates].

    Returns the tokens and whether they are certain: nothing beyond the candidates would change them; [rows].
    """
    weights = ((values.double() - values[:, :1]) / limits.temperature).exp()
    # What ties with the last of the k stays.
    last = values.gather(1, limits.top_k.clamp(max=values.shape[1]) - 1)
    weights = weights.masked_fill(values < last, 0)
    # Top-p keeps a token when those before it do not hold enough yet: the first always stays.
    sums = weights.cumsum(1)
    before = torch.cat([torch.zeros_like(sums[:, :1]), sums[:, :-1]], dim=1)
    mass_known = limits.mass.isfinite()
    mass = torch.where(mass_known, limits.mass, sums[:, -1:])
    enough = torch.where(limits.top_p < 1, limits.top_p * mass, torch.inf)
    weights = weights.masked_fill(before >= enough, 0)
    # Tokens beyond the candidates are at most as large as the last of these.
    lightest = values.masked_fill(weights == 0, torch.inf).amin(1, keepdim=True)
    certain = (lightest > values[:, -1:]) & (mass_known | (last > values[:, -1:]))
    by_id = ids.argsort(1)
    place = _place(weights.gather(1, by_id), uniforms)
    return ids.gather(1, by_id).gather(1, place).squeeze(1), certain.squeeze(1)


def _place(weights: Tensor, uniforms: Tensor) -> Tensor:
    """The first place where the running sum exceeds the share `uniforms` of the whole; both [rows, 1]."""
    sums = weights.cumsum(1)
    whole = sums[:, -1:].contiguous()
    # Rounding may make the product equal to the whole, which no sum exceeds.
    share = torch.minimum(uniforms * whole, torch.nextafter(whole, torch.zeros_like(whole)))
    return torch.searchsorted(sums, share, right=True)


def _limits(logits: Tensor, params: list[SamplingParams]) -> Limits:
    temperature = _column([temperature_of(each) for each in params], logits.device)
    mass = torch.full_like(temperature, torch.inf)
    rows = [row for row, each in enumerate(params) if not each.top_k]
    if rows:
        picked = logits[rows]
        scaled = (picked - picked.amax(1, keepdim=True)) / temperature[rows].float()
        mass[rows] = scaled.exp_().sum(1, keepdim=True, dtype=torch.float64)
    vocabulary_size = logits.shape[1]
    top_k = [min(each.top_k or vocabulary_size, vocabulary_size) for each in params]
    return Limits(
        temperature,
        torch.tensor(top_k, device=logits.device)[:, None],
        _column([each.top_p for each in params], logits.device),
        mass,
    )


def temperature_of(params: SamplingParams) -> float:
    # So that no temperature, however small, makes the largest logit's weight anything but 1.
    return max(params.temperature, torch.finfo(torch.float32).tiny)


def _column(numbers: list[float], device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=device)[:, None]
