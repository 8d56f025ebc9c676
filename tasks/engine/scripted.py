"""A model without a model: real implementations of the engine's interfaces, for tests and fault runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field

from tasks.engine.runner import Chunk
from tasks.engine.types import GenerationRequest, SamplingParams


class ContractBroken(Exception):
    """The engine used its runner in a way that the interface forbids."""


@dataclass
class _Row:
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    seed: int
    num_run: int = 0
    num_new: int = 0


@dataclass(kw_only=True)
class ScriptedRunner:
    """Emits tokens that depend on prompt, seed and place alone, checks what the engine asks of it, and
    fails where it is told to."""

    num_slots: int = 4
    max_positions: int = 2048
    vocabulary_size: int = 257
    #: Prompt and new tokens that all sequences together have room for.
    num_kv_tokens: int = 10**9
    eos_token_ids: frozenset[int] = frozenset({0})
    #: Prompts that begin alike share so many tokens, or multiples of them, and equal ones all; 0: nothing.
    page_tokens: int = 0
    #: Tokens for certain prompts; when they are used up, the sequence goes on with computed ones.
    scripts: Mapping[tuple[int, ...], Rows[int]] = field(default_factory=dict)
    #: Calls of `run` (counted from 0) that raise.
    step_errors: Mapping[int, Exception] = field(default_factory=dict)
    #: Rows that raise alone: (first prompt token, place of the new token counted from 0).
    row_errors: Mapping[tuple[int, int], Exception] = field(default_factory=dict)
    #: The same, where the row makes `run` itself raise, whatever is beside it.
    raising_rows: Mapping[tuple[int, int], Exception] = field(default_factory=dict)
    #: Called at the start of each step: `Event().wait` makes a slow model, a counter a watched one.
    before_step: Callable[[], object] = lambda: None
    num_steps: int = 0
    _rows: dict[int, _Row] = field(default_factory=dict, init=False)
    _known: set[tuple[int, ...]] = field(default_factory=set, init=False)  #: Beginnings, whole pages.

    @property
    def used_slots(self) -> frozenset[int]:
        return frozenset(self._rows)

    @property
    def num_kv_tokens_in_use(self) -> int:
        return sum(len(row.prompt_ids) + row.max_new_tokens for row in self._rows.values())

    def can_admit(self, num_tokens: int) -> bool:
        return self.num_kv_tokens_in_use + num_tokens <= self.num_kv_tokens

    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        if not self.can_admit(len(prompt_ids) + max_new_tokens):
            raise ContractBroken("a sequence was admitted for which there is no room")
        if slot in self._rows or not 0 <= slot < self.num_slots:
            raise ContractBroken(f"slot {slot} is not free")
        self._rows[slot] = _Row(tuple(prompt_ids), max_new_tokens, sampling.seed)

    def reuse(self, slot: int, num_run: int) -> int:
        row = self._rows[slot]
        if num_run != row.num_run or num_run >= len(row.prompt_ids):
            raise ContractBroken(f"slot {slot} is not at {num_run} tokens of its prompt")
        ends = range(self.page_tokens, len(row.prompt_ids), self.page_tokens) if self.page_tokens else ()
        row.num_run = max([num_run, *(end for end in ends if row.prompt_ids[:end] in self._known)])
        if self.page_tokens and any(self._has_run(row.prompt_ids, each) for each in self._rows.values()):
            row.num_run = len(row.prompt_ids) - 1
        return row.num_run

    @staticmethod
    def _has_run(prompt_ids: tuple[int, ...], row: _Row) -> bool:
        return row.prompt_ids == prompt_ids and row.num_run >= len(prompt_ids)

    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        step = self.num_steps
        self.num_steps += 1
        self.before_step()
        if step in self.step_errors:
            raise self.step_errors[step]
        if not chunks or len({chunk.slot for chunk in chunks}) < len(chunks):
            raise ContractBroken("a step needs rows, each sequence once")
        for chunk in chunks:
            self._raise_for(chunk)
        for chunk in chunks:
            self._run_chunk(chunk)
        return [self._emit(self._rows[chunk.slot]) for chunk in chunks if chunk.emits]

    def release(self, slot: int) -> None:
        self._rows.pop(slot, None)

    def _raise_for(self, chunk: Chunk) -> None:
        row = self._rows.get(chunk.slot)
        error = self.raising_rows.get((row.prompt_ids[0], row.num_new)) if row and chunk.emits else None
        if error is not None:
            raise error

    def _run_chunk(self, chunk: Chunk) -> None:
        row = self._rows.get(chunk.slot)
        if row is None or chunk.start != row.num_run or not chunk.token_ids:
            raise ContractBroken(f"a chunk at {chunk.start} does not continue slot {chunk.slot}")
        row.num_run += len(chunk.token_ids)
        if self.page_tokens and row.num_run <= len(row.prompt_ids):
            if row.num_run - chunk.start > self.page_tokens - chunk.start % self.page_tokens:
                raise ContractBroken(f"a chunk at {chunk.start} crosses a multiple of {self.page_tokens}")
            if row.num_run % self.page_tokens == 0:
                self._known.add(row.prompt_ids[: row.num_run])
        if chunk.emits != (row.num_run == len(row.prompt_ids) + row.num_new):
            raise ContractBroken("a row emits exactly when its last token is run")
        if chunk.emits and row.num_new == row.max_new_tokens:
            raise ContractBroken(f"slot {chunk.slot} has its {row.max_new_tokens} tokens")

    def _emit(self, row: _Row) -> int | Exception:
        place = row.num_new
        error = self.row_errors.get((row.prompt_ids[0], place))
        if error is not None:
            return error
        row.num_new += 1
        script = self.scripts.get(row.prompt_ids, ())
        if place < len(script):
            return script[place]
        return scripted_token(row.prompt_ids, row.seed, place, self.vocabulary_size)


def scripted_token(prompt_ids: tuple[int, ...], seed: int, place: int, vocabulary_size: int = 257) -> int:
    """The new token at `place`; never 0, which is the end of the text."""
    digest = hashlib.blake2b(repr((prompt_ids, seed, place)).encode(), digest_size=8).digest()
    return 1 + int.from_bytes(digest) % (vocabulary_size - 1)


class ScriptedDetokenizer:
    """Every token is one letter; the end of the text is none."""

    def __init__(self, _request: GenerationRequest | None = None) -> None:
        pass

    def add(self, token_id: int) -> str:
        return letter(token_id)

    def flush(self) -> str:
        return ""


def letter(token_id: int) -> str:
    return "" if token_id == 0 else chr(ord("a") + token_id % 26)
