"""Attention of every chunk over its own sequence: the interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence as Rows
from typing import Generic, TypeVar

import torch
from torch import Tensor

from tasks.model.kv_cache import KVCache
from tasks.model.span import Span

#: What an attention finds out about a step once for all layers of a kind.
PlanT = TypeVar("PlanT")


class Attention(ABC, Generic[PlanT]):
    """Stores a step's keys and values and attends. Only this looks into KVCache.layers: outside, keys and
    values are copied or made zero in whole pages and whole rings, so their order within 16 places is its own.

    Places that no token of a sequence was written to hold zeros or the finite numbers of another sequence.
    """

    kv_dtype: torch.dtype  #: Of KVCache.layers.

    @abstractmethod
    def ring_places(self, window: int) -> int:
        """Places of a ring in the layers with `window`: at least so many."""

    @abstractmethod
    def plan(self, spans: Rows[Span], cache: KVCache, window: int | None) -> PlanT:
        """For the layers with `window`, or those that see everything; valid for this step."""

    @abstractmethod
    def attend(self, query_key_value: Tensor, memory: Tensor, plan: PlanT) -> Tensor:
        """Store the step's keys and values in one layer's memory, and attend, without scaling the scores.

        query_key_value: [tokens, 3, heads, head size] float32, memory as in KVCache.layers; returns
        [tokens, hidden] float32. A token's result depends on its own sequence alone.
        """
