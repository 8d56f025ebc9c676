"""GPT-Neo in torch: any number of sequences in one pass, without padding."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.attention import Attention
from tasks.model.forward import embed, forward
from tasks.model.kv_cache import KVCache
from tasks.model.native.attention import NativeAttention
from tasks.model.native.blocks import NativeBlocks
from tasks.model.pages import PAGE_TOKENS
from tasks.model.precision import Precision
from tasks.model.sampling import Sampler, sample
from tasks.model.span import Span, spans_of
from tasks.model.torch_attention import TorchAttention
from tasks.model.undo import restored_on_failure
from tasks.model.weights import Weights

#: Tokens for which keys and values are reserved in each slot, on average, unless told otherwise.
KV_TOKENS_PER_SLOT = 512


@dataclass(slots=True)
class _Admitted:
    """A sequence that has a slot."""

    prompt_ids: Rows[int]
    sampler: Sampler
    sound: bool = True  #: All its keys and values are numbers.
    settled: bool = True  #: No step has stopped half-way through them.
    num_run: int = 0


class GPTNeoRunner:
    """Implements tasks.engine.runner.ModelRunner; several runners may share the weights."""

    def __init__(
        self,
        weights: Weights,
        *,
        num_slots: int,
        eos_token_ids: frozenset[int],
        num_kv_tokens: int = 0,
        num_prefix_tokens: int = 0,
        attention: Attention[Any] | None = None,
    ) -> None:
        """`num_kv_tokens`: prompt and new tokens of all sequences together; 0: 512 for each slot. It is never
        less than the model's context, so that any one sequence fits. `num_prefix_tokens`: of prompts, kept
        for the next ones that begin so. `attention`: the best one for the weights unless told otherwise."""
        self.num_slots = num_slots
        self.max_positions = weights.max_positions
        self.eos_token_ids = eos_token_ids
        self.page_tokens = PAGE_TOKENS if num_prefix_tokens >= PAGE_TOKENS else 0
        self._weights = weights
        self._attention = attention or _best_attention(weights)
        self._blocks = None
        if isinstance(self._attention, NativeAttention) and NativeBlocks.serves(weights):
            self._blocks = NativeBlocks(weights, self._attention)
        self._cache = KVCache(
            weights,
            num_slots=num_slots,
            num_tokens=num_kv_tokens or KV_TOKENS_PER_SLOT * num_slots,
            num_prefix_tokens=num_prefix_tokens,
            dtype=self._attention.kv_dtype,
            ring_places=self._attention.ring_places,
        )
        self._sequences: dict[int, _Admitted] = {}

    @property
    def num_kv_tokens(self) -> int:
        return self._cache.num_tokens

    @property
    def num_kv_tokens_in_use(self) -> int:
        return self._cache.num_tokens_in_use

    def can_admit(self, num_tokens: int) -> bool:
        return self._cache.fits(num_tokens)

    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        """Reserve keys and values for prompt and new tokens. Raises ValueError for an unknown token."""
        if not all(0 <= token_id < self._weights.vocabulary_size for token_id in prompt_ids):
            raise ValueError("a prompt token is not in the model's vocabulary")
        self._cache.take(slot, prompt_ids, max_new_tokens)
        self._sequences[slot] = _Admitted(prompt_ids, Sampler(sampling, prompt_ids))

    def reuse(self, slot: int, num_run: int) -> int:
        sequence = self._sequences[slot]
        if not sequence.sound:
            return num_run
        # The last token is always run: what follows it is needed.
        known = len(sequence.prompt_ids) - 1
        twin = self._twin(slot) if self.page_tokens and num_run < known else None
        if twin is None:
            return self._cache.restore(slot, sequence.prompt_ids[:-1], num_run)
        self._cache.copy(twin, slot, known)
        return known

    def _twin(self, slot: int) -> int | None:
        """A slot that has run the same prompt, and has not forgotten it since."""
        prompt_ids = self._sequences[slot].prompt_ids
        return next(
            (
                other
                for other, each in self._sequences.items()
                if each.sound
                and each.settled
                and each.num_run >= len(prompt_ids)
                and self._cache.still_holds(len(prompt_ids), each.num_run)
                and each.prompt_ids == prompt_ids
            ),
            None,
        )

    def release(self, slot: int) -> None:
        sequence = self._sequences.pop(slot, None)
        if sequence is not None and not (sequence.sound and sequence.settled):
            # Its memory goes to others, who must not read numbers that are none.
            self._cache.erase(slot)
        self._cache.give_back(slot)

    @torch.inference_mode()
    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        """One pass over all chunks; see ModelRunner. A row whose logits are broken gets BrokenLogits.

        A pass that fails can be repeated: it has written keys and values that are written again, rings that
        it made forget are restored, and the samplers go on only when all else has succeeded.
        """
        spans = spans_of(chunks)
        sequences = [self._sequences[span.slot] for span in spans]
        forgotten = (ring for span in spans for ring in self._cache.forgotten_rings(span))
        with restored_on_failure(forgotten):
            for sequence in sequences:
                sequence.settled = False
            hidden = self._forward(chunks, spans)  # [tokens, hidden]
            finite = hidden.sum(1).isfinite().tolist()  # [tokens]
            for span, sequence in zip(spans, sequences, strict=True):
                sequence.settled = True
                sequence.num_run = span.end
                sequence.sound = sequence.sound and all(finite[span.rows])
                self._keep(span, sequence)
            return self._sample(hidden, spans, chunks)

    def _sample(self, hidden: Tensor, spans: Rows[Span], chunks: Rows[Chunk]) -> list[int | Exception]:
        last_rows = {
            span.slot: span.rows.stop - 1 for span, chunk in zip(spans, chunks, strict=True) if chunk.emits
        }
        if not last_rows:
            return []
        last = hidden[list(last_rows.values())]  # [emitting, hidden]
        logits = self._weights.head(self._weights.final_norm(last))  # [emitting, vocabulary]
        samplers = [self._sequences[slot].sampler for slot in last_rows]
        return sample(logits, samplers, by_kernels=self._weights.native)

    def _keep(self, span: Span, sequence: _Admitted) -> None:
        """Keep the beginning of the prompt that ends with this chunk, where it ends with a page."""
        ends_page = span.end % PAGE_TOKENS == 0 and span.end <= len(sequence.prompt_ids)
        if self.page_tokens and ends_page and sequence.sound:
            self._cache.keep(span.slot, sequence.prompt_ids[: span.end])

    def _forward(self, chunks: Rows[Chunk], spans: list[Span]) -> Tensor:
        weights = self._weights
        token_ids = torch.tensor([token_id for chunk in chunks for token_id in chunk.token_ids])  # [tokens]
        positions = torch.tensor([place for span in spans for place in range(span.start, span.end)])
        plans = {
            window: self._attention.plan(spans, self._cache, window)
            for window in {each.window for each in weights.layers}
        }
        of_layers = [plans[layer.window] for layer in weights.layers]
        if self._blocks is not None:
            hidden = embed(weights, token_ids, positions)
            return self._blocks.run(hidden, self._cache.layers, of_layers)

        def attend(number: int, query_key_value: Tensor) -> Tensor:
            return self._attention.attend(query_key_value, self._cache.layers[number], of_layers[number])

        return forward(weights, token_ids, positions, attend)


def _best_attention(weights: Weights) -> Attention[Any]:
    if weights.native and NativeAttention.serves(weights.head_size):
        # Keys and values as exact as the weights.
        return NativeAttention(half=weights.precision is not Precision.FLOAT32)
    return TorchAttention()
