"""Keys and values of one sequence."""

from __future__ import annotations

import torch
from torch import Tensor


class KVCache:
    """Room for the keys and values of `capacity` tokens in every layer, reserved at once."""

    def __init__(self, *, num_layers: int, num_heads: int, head_size: int, capacity: int) -> None:
        # [layers, 2, heads, capacity, head size] float32
        self._memory = torch.empty(num_layers, 2, num_heads, capacity, head_size)

    def write(self, layer: int, start: int, keys: Tensor, values: Tensor) -> None:
        """Store keys and values of tokens from position `start` on; both [heads, tokens, head size]."""
        end = start + keys.shape[1]
        self._memory[layer, 0, :, start:end] = keys
        self._memory[layer, 1, :, start:end] = values

    def read(self, layer: int, first: int, end: int) -> tuple[Tensor, Tensor]:
        """Keys and values of positions `first` to `end` (excluded): views, [heads, positions, head size]."""
        return self._memory[layer, 0, :, first:end], self._memory[layer, 1, :, first:end]
