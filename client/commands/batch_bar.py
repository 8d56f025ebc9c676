"""How far a batch is, on one line of a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self, TextIO

from neoserve import Batch

WIDTH = 30

#: Erases the line that the cursor is in.
ERASE = "\r\x1b[K"


class BatchBar:
    """The pace of the items is counted from the first look: what was done before says nothing of it."""

    def __init__(self, terminal: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.write("\n")

    def show(self, batch: Batch, tokens_per_s: float) -> None:
        """`tokens_per_s` is the pace of the service, 0 where it is unknown."""
        counts = batch.counts
        filled = WIDTH * counts.ended // max(counts.total, 1)
        without = counts.ended - counts.succeeded
        parts = [f"{'█' * filled}{'░' * (WIDTH - filled)} {counts.ended}/{counts.total}"]
        parts += [f"{without} without a result"] if without else []
        parts += [f"{tokens_per_s:.0f} tokens/s"] if tokens_per_s else []
        parts += [f"{left:.0f} s to go"] if (left := self._seconds_left(batch)) else []
        self._terminal.write(ERASE + "  ".join(parts))
        self._terminal.flush()

    def _seconds_left(self, batch: Batch) -> float | None:
        now, ended = self._clock(), batch.counts.ended
        if self._first is None:
            self._first = now, ended
        begun, before = self._first
        if batch.ended or ended == before:
            return None
        return (batch.counts.total - ended) * (now - begun) / (ended - before)
