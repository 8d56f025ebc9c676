"""Keys and values of all sequences, in memory that is taken once."""

from __future__ import annotations

import torch

from tasks.model.segments import Segments
from tasks.model.weights import Layer, Weights


class KVCache:
    """Layers that see everything share one budget of tokens among the sequences: each takes as many places as
    its prompt and its new tokens need. Layers with a window have a ring of that many places in every slot,
    where a token overwrites the one that has just left the window: GPT-Neo's keys carry no position, so their
    order in the ring does not matter.

    Memory that has never been written is reserved, not used.
    """

    def __init__(self, weights: Weights, *, num_slots: int, num_tokens: int) -> None:
        """`num_tokens`: the budget, at least the model's context, so that any one sequence fits."""
        self._segments = Segments(max(num_tokens, weights.max_positions))
        self._starts: dict[int, int] = {}
        #: Keys and values of each layer, [2, heads, places, head size] float32.
        self.layers = [
            torch.empty(2, weights.num_heads, self._num_places(layer, num_slots), weights.head_size)
            for layer in weights.layers
        ]

    def _num_places(self, layer: Layer, num_slots: int) -> int:
        return self._segments.size if layer.window is None else num_slots * layer.window

    def fits(self, num_tokens: int) -> bool:
        return self._segments.fits(num_tokens)

    def take(self, slot: int, num_tokens: int) -> None:
        """Reserve what a sequence needs. Raises ValueError where it does not fit."""
        self._starts[slot] = self._segments.take(num_tokens)

    def give_back(self, slot: int) -> None:
        """Never raises, also when nothing was taken."""
        start = self._starts.pop(slot, None)
        if start is not None:
            self._segments.give_back(start)

    def place(self, slot: int, window: int | None) -> int:
        """Where the tokens of `slot` begin in the layers with `window`: its ring, or its stretch."""
        return self._starts[slot] if window is None else slot * window
