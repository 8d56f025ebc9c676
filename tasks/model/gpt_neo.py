"""GPT-Neo in torch: any number of sequences in one pass, without padding."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.kv_cache import KVCache
from tasks.model.sampling import Sampler, sample
from tasks.model.weights import Weights


@dataclass(frozen=True, slots=True)
class Span:
    """Where the tokens of one chunk are: rows of the step's tensors, and positions of their sequence."""

    cache: KVCache
    rows: slice
    start: int
    end: int
    #: For each window: the first key that any of the tokens sees, and who sees what ([tokens, keys] or None).
    visible: dict[int | None, tuple[int, Tensor | None]]


@dataclass(frozen=True, slots=True)
class _Slot:
    cache: KVCache
    sampler: Sampler


class GPTNeoRunner:
    """Implements tasks.engine.runner.ModelRunner; several runners may share the weights."""

    def __init__(self, weights: Weights, *, num_slots: int, eos_token_ids: frozenset[int]) -> None:
        self.num_slots = num_slots
        self.max_positions = weights.max_positions
        self.eos_token_ids = eos_token_ids
        self._weights = weights
        self._slots: dict[int, _Slot] = {}

    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        """Reserve keys and values for prompt and new tokens. Raises ValueError for an unknown token."""
        weights = self._weights
        if not all(0 <= token_id < weights.vocabulary_size for token_id in prompt_ids):
            raise ValueError("a prompt token is not in the model's vocabulary")
        cache = KVCache(
            num_layers=len(weights.layers),
            num_heads=weights.num_heads,
            head_size=weights.head_size,
            capacity=len(prompt_ids) + max_new_tokens,
        )
        self._slots[slot] = _Slot(cache, Sampler(sampling, prompt_ids))

    def release(self, slot: int) -> None:
        self._slots.pop(slot, None)

    @torch.inference_mode()
    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        """One pass over all chunks; see ModelRunner. A row whose logits are broken gets BrokenLogits."""
        spans = self._spans(chunks)
        hidden = self._forward(chunks, spans)  # [tokens, hidden]
        emitting = [
            (chunk, span.rows.stop - 1) for chunk, span in zip(chunks, spans, strict=True) if chunk.emits
        ]
        if not emitting:
            return []
        last = hidden[[row for _, row in emitting]]  # [emitting, hidden]
        logits = self._weights.head(self._weights.final_norm(last))  # [emitting, vocabulary]
        return sample(logits, [self._slots[chunk.slot].sampler for chunk, _ in emitting])

    def _spans(self, chunks: Rows[Chunk]) -> list[Span]:
        spans, row = [], 0
        windows = {layer.window for layer in self._weights.layers}
        for chunk in chunks:
            num_tokens = len(chunk.token_ids)
            end = chunk.start + num_tokens
            visible = {window: _visible(chunk.start, end, window) for window in windows}
            spans.append(
                Span(self._slots[chunk.slot].cache, slice(row, row + num_tokens), chunk.start, end, visible)
            )
            row += num_tokens
        return spans

    def _forward(self, chunks: Rows[Chunk], spans: list[Span]) -> Tensor:
        token_ids = torch.tensor([token_id for chunk in chunks for token_id in chunk.token_ids])  # [tokens]
        positions = torch.cat([torch.arange(span.start, span.end) for span in spans])  # [tokens]
        weights = self._weights
        # [tokens, hidden]
        hidden = embedding(token_ids, weights.token_embedding).float()
        hidden = hidden + embedding(positions, weights.position_embedding)
        for index, layer in enumerate(weights.layers):
            query_key_value = layer.query_key_value(layer.attention_norm(hidden))  # [tokens, 3 · hidden]
            attended = self._attend(index, layer.window, query_key_value, spans)
            hidden = layer.attention_output.add(attended, hidden)
            hidden = layer.mlp_output.add(layer.mlp_input(layer.mlp_norm(hidden)), hidden)
        return hidden

    def _attend(self, index: int, window: int | None, query_key_value: Tensor, spans: list[Span]) -> Tensor:
        """Attention of every chunk over its own sequence; [tokens, 3 · hidden] → [tokens, hidden]."""
        num_heads, head_size = self._weights.num_heads, self._weights.head_size
        # each [heads, tokens, head size]
        query, key, value = query_key_value.view(-1, 3, num_heads, head_size).permute(1, 2, 0, 3)
        attended = torch.empty_like(query)
        for span in spans:
            span.cache.write(index, span.start, key[:, span.rows], value[:, span.rows])
            first, mask = span.visible[window]
            keys, values = span.cache.read(index, first, span.end)
            # GPT-Neo was trained with scores that are not scaled.
            attended[:, span.rows] = scaled_dot_product_attention(
                query[None, :, span.rows], keys[None], values[None], attn_mask=mask, scale=1.0
            )[0]
        return attended.transpose(0, 1).reshape(-1, num_heads * head_size)


def _visible(start: int, end: int, window: int | None) -> tuple[int, Tensor | None]:
    """What the tokens at positions `start` to `end` (excluded) see, as in Span.visible."""
    first = 0 if window is None else max(0, start - window + 1)
    if end - start == 1:
        return first, None
    queries = torch.arange(start, end)[:, None]
    keys = torch.arange(first, end)[None, :]
    mask = keys <= queries  # [tokens, keys]
    return first, mask if window is None else mask & (keys > queries - window)
