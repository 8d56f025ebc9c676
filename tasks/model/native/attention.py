"""Attention by the native kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.model.attention import Attention
from tasks.model.kv_cache import KVCache
from tasks.model.native import structures
from tasks.model.native.library import Level, kernels
from tasks.model.pages import PAGE_TOKENS
from tasks.model.span import Span

#: Places whose keys lie together, and tokens that attend together: as in kernels.h and attention.h.
BLOCK = TILE = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """A step as the kernels read it."""

    spans: ctypes.Array[structures.Span]
    tables: list[Any]  #: What the spans point to.
    window: int
    ring_places: int


class NativeAttention(Attention[Plan]):
    """Reads keys and values where they lie, in half precision or float32. Of 16 places the keys lie number by
    number, so that 16 of them are multiplied at a time. A token's result is the same to the last bit however
    its prompt was cut."""

    def __init__(self, *, half: bool, level: Level | None = None) -> None:
        """`level`: as for NativeLinear. Raises RuntimeError where there are no kernels."""
        self.kv_dtype = torch.float16 if half else torch.float32
        self._library, self.level = kernels(level)

    @staticmethod
    def serves(head_size: int) -> bool:
        return head_size % BLOCK == 0

    def ring_places(self, window: int) -> int:
        # Tokens that attend together are all stored first, and may not take a place that one of them sees.
        return -(-(window + TILE - 1) // BLOCK) * BLOCK

    def plan(self, spans: Rows[Span], cache: KVCache, window: int | None) -> Plan:
        found, tables = [], []
        for span in spans:
            each = structures.Span(row=span.rows.start, tokens=span.num_tokens, start=span.start)
            if window is None:
                pages = cache.tables[span.slot][: -(-span.end // PAGE_TOKENS)]
                table = (ctypes.c_long * len(pages))(*(page * PAGE_TOKENS for page in pages))
                each.table = ctypes.addressof(table)
                tables.append(table)
            else:
                each.ring = cache.ring(span.slot, window)
            found.append(each)
        return Plan(
            spans=(structures.Span * len(found))(*found),
            tables=tables,
            window=window or 0,
            ring_places=0 if window is None else self.ring_places(window),
        )

    def attend(self, query_key_value: Tensor, memory: Tensor, plan: Plan) -> Tensor:
        num_tokens, _, num_heads, head_size = query_key_value.shape
        query_key_value = query_key_value.contiguous()
        attended = query_key_value.new_empty(num_tokens, num_heads * head_size)
        attention = self.layer(memory, plan)
        attention.query_key_value, attention.attended = query_key_value.data_ptr(), attended.data_ptr()
        self._library.neoserve_attend(self.level, ctypes.byref(attention), self.kv_dtype is torch.float16)
        return attended

    def layer(self, memory: Tensor, plan: Plan) -> structures.Attention:
        """One layer's part of a step, without what it reads and writes."""
        return structures.Attention(
            memory=memory.data_ptr(),
            heads=memory.shape[1],
            size=memory.shape[3],
            places=memory.shape[2],
            spans=ctypes.addressof(plan.spans),
            num_spans=len(plan.spans),
            window=plan.window,
            ring_places=plan.ring_places,
            page_places=PAGE_TOKENS,
            threads=torch.get_num_threads(),
        )
