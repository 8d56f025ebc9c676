"""Keys and values in memory whose places never change, as recorded GPU work needs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tasks.model.undo import forgets
from tasks.model.weights import Weights


class StaticKV:
    """A whole context for each row, whatever its text needs: 42 MB a row for the 125M model with 2 bytes a
    number. A row is one sequence. Every layer is a ring of as many places as a token of it can see: the
    context, or the window. GPT-Neo's keys carry no position, so their order in a ring does not matter.

    Beyond the last row is one more, `scratch`, which takes what nobody reads.
    """

    def __init__(self, weights: Weights, *, num_rows: int, dtype: torch.dtype) -> None:
        self.scratch = num_rows
        #: Keys and values of each layer, [2, rows + 1, heads, places, head size].
        self.layers = [
            torch.zeros(
                2,
                num_rows + 1,
                weights.num_heads,
                min(layer.window or weights.max_positions, weights.max_positions),
                weights.head_size,
                dtype=dtype,
                device=weights.token_embedding.device,
            )
            for layer in weights.layers
        ]
        self.sizes = {memory.shape[3] for memory in self.layers}

    def clear(self, row: int) -> None:
        """Make sure that what a broken text has left cannot break the next: places that are masked count
        nothing, but nothing times NaN is NaN."""
        for memory in self.layers:
            memory[:, row].zero_()

    def forgotten_rings(self, row: int, start: int, end: int) -> Iterator[Tensor]:
        """Those of one row that lose tokens which a chunk itself sees, when it is run."""
        for memory in self.layers:
            num_places = memory.shape[3]
            if forgets(start, end, window=num_places, num_places=num_places):
                yield memory[:, row]


def token_mask(positions: Tensor, num_visible: int) -> Tensor:
    """Which of a ring's first places each row's one token sees: [rows] → [rows, 1, 1, places]."""
    return (torch.arange(num_visible, device=positions.device) <= positions[:, None])[:, None, None]


def attend_tokens(
    query_key_value: Tensor, memory: Tensor, stored_at: Tensor, positions: Tensor, mask: Tensor
) -> Tensor:
    """Store one token for each of the first rows, and attend. A row whose keys go elsewhere takes no part:
    its result means nothing.

    query_key_value: [rows, 3, heads, head size]; memory as in StaticKV.layers; stored_at: [rows], the rows
    of memory where keys and values go; mask as from `token_mask`; returns [rows, hidden].
    """
    memory[:, stored_at, :, positions % memory.shape[3]] = query_key_value[:, 1:]
    keys, values = memory[:, : len(query_key_value), :, : mask.shape[3]]
    # GPT-Neo was trained with scores that are not scaled.
    attended = scaled_dot_product_attention(
        query_key_value[:, 0, :, None], keys, values, attn_mask=mask, scale=1.0
    )
    return attended.flatten(1)


@dataclass(frozen=True, slots=True)
class ChunkView:
    """What the tokens of one chunk see in rings of a certain size, and where they go."""

    earlier: Tensor  #: Places of the keys before the chunk that its first token still sees.
    kept: Tensor  #: Places that its last tokens take; all of them unless it is longer than the ring.
    mask: Tensor | None  #: [tokens, earlier + tokens]; None: each sees those up to itself.

    @classmethod
    def of(cls, start: int, end: int, size: int, device: torch.device) -> ChunkView:
        positions = torch.arange(end, device=device)
        seen = positions[max(0, start - size + 1) :]
        queries = positions[start:, None]
        causal = start == 0 and end <= size
        return cls(
            earlier=positions[max(0, start - size + 1) : start] % size,
            kept=positions[max(start, end - size) :] % size,
            mask=None if causal else (seen <= queries) & (seen > queries - size),
        )


def attend_chunk(query_key_value: Tensor, memory: Tensor, view: ChunkView) -> Tensor:
    """Store the tokens of one chunk in one row, and attend.

    query_key_value: [tokens, 3, heads, head size]; memory: [2, heads, places, head size]; returns [tokens,
    hidden].
    """
    permuted = query_key_value.permute(1, 2, 0, 3)
    query, new = permuted[:1], permuted[1:]  # [1, …] and [2, heads, tokens, head size]
    # Read before the writing, which takes their places.
    keys, values = torch.cat([memory[:, :, view.earlier], new], dim=2)[:, None]
    memory.index_copy_(2, view.kept, new[:, :, -len(view.kept) :])
    attended = scaled_dot_product_attention(
        query, keys, values, attn_mask=view.mask, is_causal=view.mask is None, scale=1.0
    )
    return attended[0].transpose(0, 1).flatten(1)
