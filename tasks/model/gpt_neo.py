"""GPT-Neo in float32 torch: any number of sequences in one pass, without padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import GPTNeoForCausalLM

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.errors import BrokenLogits
from tasks.model.kv_cache import KVCache
from tasks.model.sampling import Sampler

#: [tokens, in] → [tokens, out]
Linear = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """The parts of one transformer block."""

    window: int | None  #: Keys that a token sees, its own included; None: all before it.
    attention_norm: Linear
    query: Linear
    key: Linear
    value: Linear
    attention_output: Linear
    mlp_norm: Linear
    mlp: Linear


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
    """Implements tasks.engine.runner.ModelRunner with the weights of a transformers module."""

    def __init__(self, network: GPTNeoForCausalLM, *, num_slots: int, eos_token_ids: frozenset[int]) -> None:
        config = network.config
        self.num_slots = num_slots
        self.max_positions: int = config.max_position_embeddings
        self.eos_token_ids = eos_token_ids
        self._vocabulary_size: int = config.vocab_size
        self._num_heads: int = config.num_heads
        self._head_size: int = config.hidden_size // config.num_heads
        self._token_embedding: nn.Embedding = network.transformer.wte
        self._position_embedding: nn.Embedding = network.transformer.wpe
        self._layers = list(_layers(network))
        self._final_norm: Linear = network.transformer.ln_f
        self._head: Linear = network.lm_head
        self._slots: dict[int, _Slot] = {}

    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        """Reserve keys and values for prompt and new tokens. Raises ValueError for an unknown token."""
        if not all(0 <= token_id < self._vocabulary_size for token_id in prompt_ids):
            raise ValueError("a prompt token is not in the model's vocabulary")
        cache = KVCache(
            num_layers=len(self._layers),
            num_heads=self._num_heads,
            head_size=self._head_size,
            capacity=len(prompt_ids) + max_new_tokens,
        )
        self._slots[slot] = _Slot(cache, Sampler(sampling, prompt_ids, self._vocabulary_size))

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
        logits = self._head(self._final_norm(last))  # [emitting, vocabulary]
        return [self._sample(chunk.slot, row) for (chunk, _), row in zip(emitting, logits, strict=True)]

    def _sample(self, slot: int, logits: Tensor) -> int | Exception:
        try:
            return self._slots[slot].sampler.sample(logits)
        except BrokenLogits as error:
            return error

    def _spans(self, chunks: Rows[Chunk]) -> list[Span]:
        spans, row = [], 0
        windows = {layer.window for layer in self._layers}
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
        # [tokens, hidden]
        hidden: Tensor = self._token_embedding(token_ids) + self._position_embedding(positions)
        for index, layer in enumerate(self._layers):
            normed = layer.attention_norm(hidden)
            attended = self._attend(
                index, layer.window, layer.query(normed), layer.key(normed), layer.value(normed), spans
            )
            hidden = hidden + layer.attention_output(attended)
            hidden = hidden + layer.mlp(layer.mlp_norm(hidden))
        return hidden

    def _attend(
        self, index: int, window: int | None, query: Tensor, key: Tensor, value: Tensor, spans: list[Span]
    ) -> Tensor:
        """Attention of every chunk over its own sequence; query, key, value, result: [tokens, hidden]."""
        # [tokens, hidden] → [heads, tokens, head size]
        query, key, value = (
            each.view(-1, self._num_heads, self._head_size).transpose(0, 1) for each in (query, key, value)
        )
        attended = torch.empty_like(query)
        for span in spans:
            span.cache.write(index, span.start, key[:, span.rows], value[:, span.rows])
            first, mask = span.visible[window]
            keys, values = span.cache.read(index, first, span.end)
            # GPT-Neo was trained with scores that are not scaled.
            attended[:, span.rows] = scaled_dot_product_attention(
                query[None, :, span.rows], keys[None], values[None], attn_mask=mask, scale=1.0
            )[0]
        return attended.transpose(0, 1).reshape(-1, self._num_heads * self._head_size)


def _visible(start: int, end: int, window: int | None) -> tuple[int, Tensor | None]:
    """What the tokens at positions `start` to `end` (excluded) see, as in Span.visible."""
    first = 0 if window is None else max(0, start - window + 1)
    if end - start == 1:
        return first, None
    queries = torch.arange(start, end)[:, None]
    keys = torch.arange(first, end)[None, :]
    mask = keys <= queries  # [tokens, keys]
    return first, mask if window is None else mask & (keys > queries - window)


def _layers(network: GPTNeoForCausalLM) -> Iterator[Layer]:
    blocks: Any = network.transformer.h
    for block, kind in zip(blocks, network.config.attention_layers, strict=True):
        attention = block.attn.attention
        yield Layer(
            window=network.config.window_size if kind == "local" else None,
            attention_norm=block.ln_1,
            query=attention.q_proj,
            key=attention.k_proj,
            value=attention.v_proj,
            attention_output=attention.out_proj,
            mlp_norm=block.ln_2,
            mlp=block.mlp,
        )
