"""Several prompts, or pieces of them, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from itertools import accumulate

import torch
from torch import Tensor

from tasks.engine.runner import Chunk
from tasks.model.forward import forward
from tasks.model.static_kv import ChunkView, StaticKV, attend_chunk
from tasks.model.weights import Weights


def prefill(weights: Weights, kv: StaticKV, chunks: Rows[Chunk], rows: Mapping[int, int]) -> Tensor:
    """Run the chunks one behind the other, without padding; `rows`: the row of `kv` of each slot.

    Returns the last token of each chunk, [chunks, hidden].
    """
    device = weights.token_embedding.device
    ends = list(accumulate(len(chunk.token_ids) for chunk in chunks))
    spans = [slice(end - len(chunk.token_ids), end) for end, chunk in zip(ends, chunks, strict=True)]
    positions = [range(chunk.start, chunk.start + len(chunk.token_ids)) for chunk in chunks]
    views = [
        {size: ChunkView.of(each.start, each.stop, size, device) for size in kv.sizes} for each in positions
    ]

    def attend(number: int, query_key_value: Tensor) -> Tensor:
        memory = kv.layers[number]
        attended = [
            attend_chunk(query_key_value[span], memory[:, rows[chunk.slot]], view[memory.shape[3]])
            for span, chunk, view in zip(spans, chunks, views, strict=True)
        ]
        return torch.cat(attended)

    token_ids = torch.tensor([token_id for chunk in chunks for token_id in chunk.token_ids], device=device)
    place = torch.tensor([position for each in positions for position in each], device=device)
    hidden = forward(weights, token_ids, place, attend)
    return hidden[torch.tensor(ends, device=device) - 1]
