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
        query, new = permuted[:1], permuted[1:]  # [1, …] and [2, heads, tokens, head size]
        # Read before the writing, which takes their places.
        earlier = [None if view.earlier is None else memory[:, :, view.earlier] for view in plan.views]
        memory.index_copy_(2, plan.places, new if plan.rows is None else new[:, :, plan.rows])
        attended = []
        for view, before in zip(plan.views, earlier, strict=True):
            if before is not None:
                keys, values = torch.cat([before, new[:, :, view.rows]], dim=2)[:, None]
            elif isinstance(view.stored, Tensor):
                keys, values = memory.index_select(2, view.stored)[:, None]
            else:
                keys, values = memory.narrow(2, *view.stored)[:, None]
            # GPT-Neo was trained with scores that are not scaled.
            result = scaled_dot_product_attention(
                query[:, :, view.rows], keys, values, attn_mask=view.mask, scale=1.0
            )  # [1, heads, tokens, head size]
            attended.append(result.transpose(1, 2).reshape(result.shape[2], -1))
        return torch.cat(attended)
