"""GPT-Neo on a GPU: prompts packed, decoding recorded as CUDA graphs. It computes the same on any device."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from collections.abc import Sequence as Rows
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.engine.runner import Chunk
from tasks.engine.types import SamplingParams
from tasks.model.choice import BROKEN, UNSURE, choose, numbers_of
from tasks.model.decode_step import DecodeStep, DecodingRow
from tasks.model.device_errors import device_errors_as_such
from tasks.model.drawing import draw
from tasks.model.errors import BrokenLogits
from tasks.model.forward import dtype_of, logits_of
from tasks.model.prefill import prefill
from tasks.model.recorded import record_all
from tasks.model.sampling import Sampler
from tasks.model.static_kv import StaticKV
from tasks.model.undo import restored_on_failure
from tasks.model.weights import Weights

#: The least number of places that a decoding row reads.
MIN_VISIBLE = 128


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one pass chose, still on the device."""

    slots: dict[int, int]  #: Slot → place in the tensors.
    tokens: Tensor  #: [rows], as from tasks.model.choice.choose
    logits: Tensor  #: [rows, vocabulary]
    numbers: Tensor  #: [6, rows]


class CudaRunner:
    """Implements tasks.engine.runner.ModelRunner.

    Each slot has memory for a whole context, see StaticKV: 32 slots of the 125M model in bfloat16 take
    1.4 GB, whatever they hold. So a free slot is all that a sequence needs. Numbers of rows and of the places
    that they read are rounded up to powers of two, and each pair has a graph, recorded at the start.

    How many rows are beside a row changes its numbers by rounding only. In float32 no text shows it; in
    bfloat16 two tokens that are almost equally likely may change places.
    """

    def __init__(self, weights: Weights, *, num_slots: int, eos_token_ids: frozenset[int]) -> None:
        self.num_slots = num_slots
        self.max_positions = weights.max_positions
        self.eos_token_ids = eos_token_ids
        self.page_tokens = 0  # Chunks may end anywhere: prompts share nothing.
        self._weights = weights
        self._device = weights.token_embedding.device
        self._kv = StaticKV(weights, num_rows=num_slots, dtype=dtype_of(weights))
        self._seen = torch.zeros(
            num_slots + 1, weights.vocabulary_size, dtype=torch.bool, device=self._device
        )
        self._free_rows = list(range(num_slots))  # A heap: the fewer rows a graph has, the less it reads.
        self._rows: dict[int, int] = {}  # By slot.
        self._samplers: dict[int, Sampler] = {}  # By slot.
        self._step = DecodeStep(weights, self._kv, self._seen)
        self._row_counts = _doubling(1, num_slots)
        self._visible_counts = _doubling(MIN_VISIBLE, self.max_positions)
        # The largest first: the others find room in its memory.
        shapes = [
            (rows, visible) for rows in self._row_counts[::-1] for visible in self._visible_counts[::-1]
        ]
        with torch.inference_mode():
            self._recorded = record_all(self._step.run, shapes, self._device)

    @property
    def num_kv_tokens(self) -> int:
        return self.num_slots * self.max_positions

    @property
    def num_kv_tokens_in_use(self) -> int:
        return len(self._rows) * self.max_positions

    def can_admit(self, num_tokens: int) -> bool:
        return num_tokens <= self.max_positions

    @device_errors_as_such()
    @torch.inference_mode()
    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        """Raises ValueError for an unknown token, and for a text longer than the context."""
        if not all(0 <= token_id < self._weights.vocabulary_size for token_id in prompt_ids):
            raise ValueError("a prompt token is not in the model's vocabulary")
        if not self.can_admit(len(prompt_ids) + max_new_tokens):
            raise ValueError("the text would be longer than the model's context")
        row = self._rows[slot] = heapq.heappop(self._free_rows)
        self._samplers[slot] = Sampler(sampling, ())
        self._kv.clear(row)
        if sampling.repetition_penalty != 1.0:
            self._seen[row] = False
            self._seen[row].index_fill_(0, self._tensor(prompt_ids), True)

    def reuse(self, _slot: int, num_run: int) -> int:
        return num_run

    def release(self, slot: int) -> None:
        self._samplers.pop(slot, None)
        row = self._rows.pop(slot, None)
        if row is not None:
            heapq.heappush(self._free_rows, row)

    @device_errors_as_such()
    @torch.inference_mode()
    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        """One pass over the prompts and one over the decoding rows; see ModelRunner. A row whose logits are
        broken gets BrokenLogits.

        As GPTNeoRunner's, a pass that fails can be repeated; not so after an error of the device itself, as
        which RunnerBroken is raised.
        """
        decoding = [chunk for chunk in chunks if chunk.emits and len(chunk.token_ids) == 1]
        prompts = [chunk for chunk in chunks if not chunk.emits or len(chunk.token_ids) > 1]
        with restored_on_failure(self._forgotten_rings(prompts)):
            by_slot = self._run(decoding, prompts)
        for slot, token in by_slot.items():
            if not isinstance(token, Exception):
                self._samplers[slot].accept(token)
        return [by_slot[chunk.slot] for chunk in chunks if chunk.emits]

    def _forgotten_rings(self, chunks: list[Chunk]) -> Iterator[Tensor]:
        for chunk in chunks:
            end = chunk.start + len(chunk.token_ids)
            yield from self._kv.forgotten_rings(self._rows[chunk.slot], chunk.start, end)

    def _run(self, decoding: list[Chunk], prompts: list[Chunk]) -> dict[int, int | Exception]:
        """By slot, what was chosen for each chunk that emits."""
        outcomes = [self._decode(decoding)] if decoding else []
        if prompts:
            outcomes += self._prefill(prompts)
        if not outcomes:
            return {}
        tokens = torch.cat([each.tokens for each in outcomes]).tolist()  # Here the host waits, once.
        by_slot: dict[int, int | Exception] = {}
        for each in outcomes:
            for slot, place in each.slots.items():
                by_slot[slot] = self._settle(tokens[place], each, place, slot)
            del tokens[: len(each.tokens)]
        return by_slot

    def _decode(self, chunks: list[Chunk]) -> Outcome:
        slots = {chunk.slot: self._rows[chunk.slot] for chunk in chunks}
        rows = {
            slots[chunk.slot]: DecodingRow(chunk.token_ids[0], chunk.start, self._numbers(chunk.slot))
            for chunk in chunks
        }
        num_rows = _at_least(max(rows) + 1, self._row_counts)
        num_visible = _at_least(max(chunk.start for chunk in chunks) + 1, self._visible_counts)
        numbers = self._step.put(rows, num_rows)
        return Outcome(slots, *self._recorded[num_rows, num_visible](), numbers)

    def _prefill(self, chunks: list[Chunk]) -> list[Outcome]:
        last = prefill(self._weights, self._kv, chunks, self._rows)  # [chunks, hidden]
        emitting = {chunk.slot: place for place, chunk in enumerate(chunks) if chunk.emits}
        if not emitting:
            return []
        logits = logits_of(self._weights, last[self._tensor(list(emitting.values()))])
        numbers = torch.tensor([self._numbers(slot) for slot in emitting], dtype=torch.float64)
        numbers = numbers.T.to(self._device)
        seen = self._seen[self._tensor([self._rows[slot] for slot in emitting])]
        places = {slot: place for place, slot in enumerate(emitting)}
        return [Outcome(places, choose(logits, seen, numbers), logits, numbers)]

    def _numbers(self, slot: int) -> tuple[float, ...]:
        sampler = self._samplers[slot]
        return numbers_of(sampler.params, sampler.uniform() if sampler.params.do_sample else 0.0)

    def _settle(self, token_id: int, outcome: Outcome, place: int, slot: int) -> int | Exception:
        if token_id == BROKEN:
            return BrokenLogits()
        if token_id == UNSURE:
            row = slice(place, place + 1)
            return draw(outcome.logits[row], [self._samplers[slot].params], outcome.numbers[-1, row])[0]
        return token_id

    def _tensor(self, numbers: Rows[int]) -> Tensor:
        return torch.tensor(list(numbers), dtype=torch.int64, device=self._device)


def _doubling(first: int, last: int) -> list[int]:
    """`first`, doubled again and again up to `last`, and `last`."""
    counts = [min(first, last)]
    while counts[-1] < last:
        counts.append(min(2 * counts[-1], last))
    return counts


def _at_least(number: int, counts: list[int]) -> int:
    return next(count for count in counts if count >= number)
