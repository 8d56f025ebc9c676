"""Which sequences take part in the next step, and with how many tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tasks.engine.sequence import Sequence, SequenceStatus

#: Prompt tokens that one step takes beside the decoding rows. It bounds how long a long prompt holds up
#: the sequences that are already writing; larger chunks gain little per token on a CPU.
MAX_PREFILL_TOKENS = 128

#: What is left of a prompt must be so much before it waits a step for another to run it: a step of its own
#: costs as much as some 20 tokens.
MIN_AWAITED_TOKENS = 32


@dataclass(frozen=True, slots=True)
class ScheduledRow:
    sequence: Sequence
    num_tokens: int
    decodes: bool  #: Its prompt was run before; the one token is the one sampled last.


class Scheduler:
    """Slots and token budget, first come first served. Arithmetic only: no tensors, clocks or threads."""

    def __init__(
        self, *, num_slots: int, max_prefill_tokens: int = MAX_PREFILL_TOKENS, page_tokens: int = 0
    ) -> None:
        """`page_tokens`: as the runner says."""
        if num_slots < 1 or max_prefill_tokens < 1:
            raise ValueError("a scheduler needs at least one slot and one prompt token per step")
        self.waiting: deque[Sequence] = deque()
        self.running: deque[Sequence] = deque()  #: In order of admission.
        self._free_slots = deque(range(num_slots))
        self._max_prefill_tokens = max_prefill_tokens
        self._page_tokens = page_tokens

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    def add(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)

    def can_admit(self) -> bool:
        return bool(self.waiting and self._free_slots)

    def admit(self) -> Sequence:
        """Give the sequence that waits longest a slot."""
        sequence = self.waiting.popleft()
        sequence.slot = self._free_slots.popleft()
        sequence.status = SequenceStatus.RUNNING
        self.running.append(sequence)
        return sequence

    def schedule(self, reuse: Callable[[Sequence], None]) -> list[ScheduledRow]:
        """Every decoding sequence with its one token, and prompts up to the budget in order of admission.

        `reuse` is called before a prompt's tokens are counted: it may move `num_run` on.
        """
        rows: list[ScheduledRow] = []
        budget = self._max_prefill_tokens
        for sequence in self.running:
            if sequence.decoding:
                rows.append(ScheduledRow(sequence, 1, decodes=True))
            elif budget:
                if self._page_tokens and self._is_run_by_another(sequence, rows):
                    continue
                reuse(sequence)
                num_tokens = min(sequence.num_pending, budget, self._page_end(sequence) - sequence.num_run)
                budget -= num_tokens
                rows.append(ScheduledRow(sequence, num_tokens, decodes=False))
        return rows

    def _page_end(self, sequence: Sequence) -> int:
        """Where the page that comes next in a prompt ends."""
        size = self._page_tokens or len(sequence.token_ids)
        return (sequence.num_run // size + 1) * size

    def _is_run_by_another(self, sequence: Sequence, rows: list[ScheduledRow]) -> bool:
        """This step runs a page that the sequence needs too, and can reuse when it is complete, or the end of
        the very same prompt."""
        num_tokens = len(sequence.token_ids)
        ends = ((row.sequence, self._page_end(row.sequence)) for row in rows if not row.decodes)
        return any(
            # The last token of a prompt is run in any case.
            (sequence.num_run < end < num_tokens and other.token_ids[:end] == sequence.token_ids[:end])
            or (sequence.num_pending >= MIN_AWAITED_TOKENS and other.token_ids == sequence.token_ids)
            for other, end in ends
        )

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is; a running one gives its slot back."""
        if sequence.status is SequenceStatus.RUNNING:
            self.running.remove(sequence)
            self._free_slots.append(sequence.slot)
        else:
            self.waiting.remove(sequence)
        sequence.status = SequenceStatus.FINISHED

    def canceled(self) -> list[Sequence]:
        """The sequences that nobody wants any more."""
        return [each for each in (*self.running, *self.waiting) if each.generation.cancel_requested]
