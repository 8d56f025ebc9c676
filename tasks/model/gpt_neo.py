"""GPT-Neo in torch: any number of sequences in one pass, without padding."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import torch
from torch import Tensor
from torch.nn.functional import embedding

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.attention import attend
from tasks.model.kv_cache import KVCache
from tasks.model.sampling import Sampler, sample
from tasks.model.step_plan import Span, plan, spans_of
from tasks.model.weights import Weights

#: Tokens for which keys and values are reserved in each slot, on average, unless told otherwise.
KV_TOKENS_PER_SLOT = 512


class GPTNeoRunner:
    """Implements tasks.engine.runner.ModelRunner; several runners may share the weights."""

    def __init__(
        self, weights: Weights, *, num_slots: int, eos_token_ids: frozenset[int], num_kv_tokens: int = 0
    ) -> None:
        """`num_kv_tokens`: prompt and new tokens of all sequences together; 0: 512 for each slot. It is never
        less than the model's context, so that any one sequence fits."""
        self.num_slots = num_slots
        self.max_positions = weights.max_positions
        self.eos_token_ids = eos_token_ids
        self._weights = weights
        self._cache = KVCache(
            weights, num_slots=num_slots, num_tokens=num_kv_tokens or KV_TOKENS_PER_SLOT * num_slots
        )
        self._samplers: dict[int, Sampler] = {}

    def can_admit(self, num_tokens: int) -> bool:
        return self._cache.fits(num_tokens)

    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        """Reserve keys and values for prompt and new tokens. Raises ValueError for an unknown token."""
        if not all(0 <= token_id < self._weights.vocabulary_size for token_id in prompt_ids):
            raise ValueError("a prompt token is not in the model's vocabulary")
        self._cache.take(slot, len(prompt_ids) + max_new_tokens)
        self._samplers[slot] = Sampler(sampling, prompt_ids)

    def release(self, slot: int) -> None:
        self._cache.give_back(slot)
        self._samplers.pop(slot, None)

    @torch.inference_mode()
    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        """One pass over all chunks; see ModelRunner. A row whose logits are broken gets BrokenLogits."""
        spans = spans_of(chunks)
        hidden = self._forward(chunks, spans)  # [tokens, hidden]
        last_rows = {
            span.slot: span.rows.stop - 1 for span, chunk in zip(spans, chunks, strict=True) if chunk.emits
        }
        if not last_rows:
            return []
        last = hidden[list(last_rows.values())]  # [emitting, hidden]
        logits = self._weights.head(self._weights.final_norm(last))  # [emitting, vocabulary]
        return sample(logits, [self._samplers[slot] for slot in last_rows])

    def _forward(self, chunks: Rows[Chunk], spans: list[Span]) -> Tensor:
        weights = self._weights
        token_ids = torch.tensor([token_id for chunk in chunks for token_id in chunk.token_ids])  # [tokens]
        positions = torch.cat([torch.arange(span.start, span.end) for span in spans])  # [tokens]
        plans = {
            window: plan(spans, self._cache, window) for window in {each.window for each in weights.layers}
        }
        # [tokens, hidden]
        hidden = embedding(token_ids, weights.token_embedding).float()
        hidden = hidden + embedding(positions, weights.position_embedding)
        for layer, memory in zip(weights.layers, self._cache.layers, strict=True):
            query_key_value = layer.query_key_value(layer.attention_norm(hidden))  # [tokens, 3 · hidden]
            attended = attend(
                query_key_value.view(-1, 3, weights.num_heads, weights.head_size),
                memory,
                spans,
                plans[layer.window],
            )
            hidden = layer.attention_output.add(attended, hidden)
            hidden = layer.mlp_output.add(layer.mlp_input(layer.mlp_norm(hidden)), hidden)
        return hidden
