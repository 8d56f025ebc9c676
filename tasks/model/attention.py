"""Attention of every chunk over its own sequence."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tasks.model.step_plan import Plan, Span


def attend(query_key_value: Tensor, memory: Tensor, spans: Rows[Span], plan: Plan) -> Tensor:
    """Store the step's keys and values in one layer's memory, and attend.

    query_key_value: [tokens, 3, heads, head size], memory as in KVCache.layers; returns [tokens, hidden].
    """
    permuted = query_key_value.permute(1, 2, 0, 3)
    query, new = permuted[:1], permuted[1:]  # [1, …] and [2, heads, tokens, head size]
    # Read before the writing, which takes their places.
    earlier = [None if view.earlier is None else memory[:, :, view.earlier] for view in plan.views]
    memory.index_copy_(2, plan.places, new if plan.rows is None else new[:, :, plan.rows])
    all_keys, all_values = memory[:, None]
    attended = []
    for span, view, before in zip(spans, plan.views, earlier, strict=True):
        if before is None:
            keys, values = all_keys.narrow(2, *view.stored), all_values.narrow(2, *view.stored)
        else:
            keys, values = torch.cat([before, new[:, :, span.rows]], dim=2)[:, None]
        # GPT-Neo was trained with scores that are not scaled.
        result = scaled_dot_product_attention(
            query[:, :, span.rows], keys, values, attn_mask=view.mask, scale=1.0
        )  # [1, heads, tokens, head size]
        attended.append(result.transpose(1, 2).reshape(span.num_tokens, -1))
    return torch.cat(attended)
