"""The tokens of a step, sequence by sequence."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass

from tasks.engine.runner import Chunk


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens of one chunk."""

    slot: int
    rows: slice  #: Of the step's tensors.
    start: int  #: Positions in the sequence.
    end: int

    @property
    def num_tokens(self) -> int:
        return self.end - self.start


def spans_of(chunks: Rows[Chunk]) -> list[Span]:
    spans, row = [], 0
    for chunk in chunks:
        num_tokens = len(chunk.token_ids)
        spans.append(Span(chunk.slot, slice(row, row + num_tokens), chunk.start, chunk.start + num_tokens))
        row += num_tokens
    return spans
