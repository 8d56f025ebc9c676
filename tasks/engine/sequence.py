"""A request inside the engine."""

from __future__ import annotations

from enum import StrEnum

from tasks.engine.generation import Generation
from tasks.engine.runner import Chunk, Detokenizer
from tasks.engine.stop import StopMatcher
from tasks.engine.types import FinishReason


class SequenceStatus(StrEnum):
    WAITING = "waiting"  #: It has no slot yet.
    RUNNING = "running"  #: It has a slot and takes part in the steps.
    FINISHED = "finished"  #: It gave its slot back.


class Sequence:
    """The tokens of one request, how many of them the model has run, and the text they make."""

    def __init__(self, generation: Generation, detokenizer: Detokenizer) -> None:
        self.generation = generation
        self.request = generation.request
        self.token_ids = list(self.request.prompt_ids)  #: Prompt and generated.
        self.num_run = 0  #: Tokens whose keys and values the runner holds.
        self.slot = -1  #: Only valid while RUNNING.
        self.status = SequenceStatus.WAITING
        self._detokenizer = detokenizer
        self._stop = StopMatcher(self.request.stop)

    @property
    def num_pending(self) -> int:
        """Tokens that the model has yet to run: the rest of the prompt, or the token sampled last."""
        return len(self.token_ids) - self.num_run

    @property
    def decoding(self) -> bool:
        return self.num_run >= len(self.request.prompt_ids)

    @property
    def stopped(self) -> bool:
        """A stop string appeared in the text."""
        return self._stop.stopped

    def chunk(self, num_tokens: int) -> Chunk:
        """The next `num_tokens` tokens to run."""
        end = self.num_run + num_tokens
        return Chunk(
            slot=self.slot,
            token_ids=self.token_ids[self.num_run : end],
            start=self.num_run,
            emits=end == len(self.token_ids),
        )

    def append(self, token_id: int) -> str:
        """Add a sampled token; the text that became certain by it."""
        self.token_ids.append(token_id)
        return self._stop.add(self._detokenizer.add(token_id))

    def finish_reason(self, eos_token_ids: frozenset[int]) -> FinishReason | None:
        """Why the last token ends the text, or None where it goes on."""
        if self.token_ids[-1] in eos_token_ids:
            return FinishReason.EOS
        if self.stopped:
            return FinishReason.STOP
        if len(self.token_ids) == len(self.request.prompt_ids) + self.request.max_new_tokens:
            return FinishReason.LENGTH
        return None

    def flush(self) -> str:
        """The text that was still uncertain when the sequence ended."""
        return self._stop.add(self._detokenizer.flush()) + self._stop.flush()
