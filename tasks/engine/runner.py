"""The interface between the engine and whatever computes tokens."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

from tasks.engine.types import SamplingParams


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The tokens of one sequence that go through the model in one step.

    A prompt may be cut into several chunks; a decoding sequence has a chunk of one token.
    """

    slot: int  #: Which sequence, as named in `ModelRunner.admit`.
    token_ids: Rows[int]
    start: int  #: Position of the first of them; all earlier ones have been run.
    emits: bool  #: True where the last of them is followed by a token to sample.


class ModelRunner(Protocol):
    """One model with room for `num_slots` sequences. Called from the engine thread only.

    Every method may raise RunnerBroken, when the process must be replaced.
    """

    num_slots: int
    max_positions: int  #: Prompt and generated tokens together.
    eos_token_ids: frozenset[int]
    #: No chunk may cross a multiple of it, so that prompts which begin alike can share so much; 0: any may.
    page_tokens: int

    @property
    def num_kv_tokens(self) -> int:
        """Tokens for which there is room, of all sequences together."""

    @property
    def num_kv_tokens_in_use(self) -> int:
        """Those of them that the admitted sequences reserve."""

    def can_admit(self, num_tokens: int) -> bool:
        """Whether a sequence of so many tokens, prompt and new ones, has room now. While nothing is admitted,
        one of `max_positions` has."""

    def admit(self, slot: int, prompt_ids: Rows[int], max_new_tokens: int, sampling: SamplingParams) -> None:
        """Reserve what a sequence needs; the slot is free and `can_admit` said yes. An exception fails this
        sequence alone."""

    def reuse(self, slot: int, num_run: int) -> int:
        """The prompt's first `num_run` tokens were run, and more of it, but not all, may be known from other
        prompts: how many need not be run now. To be asked before each chunk of a prompt. Never raises."""

    def run(self, chunks: Rows[Chunk]) -> list[int | Exception]:
        """Run the chunks in one pass; one entry for each chunk that emits, in order: its sampled token,
        or the exception that this row alone raised. A call that raises leaves every sequence where it was, so
        that its chunks can be run again, in any company, and give the same tokens."""

    def release(self, slot: int) -> None:
        """Give up what `admit` reserved, also when it raised half-way. Never raises."""


class Detokenizer(Protocol):
    """Turns the tokens of one sequence into text, piece by piece; the pieces joined are the whole text."""

    def add(self, token_id: int) -> str:
        """The text that this token completes; empty while a character is still incomplete."""

    def flush(self) -> str:
        """What is left at the end: an unfinished character as U+FFFD, or nothing."""
