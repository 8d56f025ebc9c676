"""Attention by torch's operators, chunk by chunk, in float32."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tasks.model.attention import Attention
from tasks.model.kv_cache import KVCache
from tasks.model.span import Span
from tasks.model.step_plan import Plan, plan


class TorchAttention(Attention[Plan]):
    kv_dtype = torch.float32

    def ring_places(self, window: int) -> int:
        return window

    def plan(self, spans: Rows[Span], cache: KVCache, window: int | None) -> Plan:
        return plan(spans, cache, window)

    def attend(self, query_key_value: Tensor, memory: Tensor, plan: Plan) -> Tensor:
        permuted = query_key_value.permute(1, 2, 0, 3)
        query, new = permuted[0], permuted[1:]  # [heads, tokens, head size], and keys and values
        # Read before the writing, which takes their places.
        earlier = [None if view.earlier is None else memory[:, :, view.earlier] for view in plan.views]
        memory.index_copy_(2, plan.places, new if plan.rows is None else new[:, :, plan.rows])
        attended = []
        for view, before in zip(plan.views, earlier, strict=True):
            own = query[:, view.rows]
            if before is not None:
                result = _attend(own, torch.cat([before, new[:, :, view.rows]], dim=2), view.mask)
            elif len(view.runs) == 1:
                result = _attend(own, memory.narrow(2, *view.runs[0]), view.mask)
            else:
                result = _attend_to_runs(own, memory, view.runs, view.mask)
            attended.append(result.transpose(0, 1).flatten(1))
        return torch.cat(attended)


def _attend(query: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
    """query: [heads, tokens, head size], memory: [2, heads, keys, head size], mask: [tokens, keys]; the same
    shape as `query`."""
    keys, values = memory[:, None]
    # GPT-Neo was trained with scores that are not scaled.
    return scaled_dot_product_attention(query[None], keys, values, attn_mask=mask, scale=1.0)[0]


def _attend_to_runs(
    query: Tensor, memory: Tensor, runs: Rows[tuple[int, int]], mask: Tensor | None
) -> Tensor:
    """As `_attend`, where the keys lie: to gather them first costs three times as much for a single token."""
    keys, values = memory
    scores = torch.cat([query @ keys.narrow(1, *run).transpose(1, 2) for run in runs], dim=2)
    if mask is not None:
        scores.masked_fill_(~mask, -torch.inf)  # [heads, tokens, keys]
    shares = torch.split(scores.softmax(2), [length for _, length in runs], dim=2)
    return torch.stack([share @ values.narrow(1, *run) for share, run in zip(shares, runs, strict=True)]).sum(
        0
    )
