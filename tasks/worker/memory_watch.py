"""Drains the worker before the kernel kills it for want of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tasks.worker.memory import Memory

log = logging.getLogger(__name__)

#: A peak that is over at the next look is none of our business.
LOOKS = 5


class MemoryWatch:
    """Calls `drain`, once, when more than `share` of the memory was in use at LOOKS looks in a row.

    0: it never does.
    """

    def __init__(self, share: float, read: Callable[[], Memory | None], drain: Callable[[], object]) -> None:
        self._share = share
        self._read = read
        self._drain = drain
        self._num_above = 0

    def look(self) -> None:
        memory = self._read() if self._share else None
        above = memory is not None and memory.share > self._share
        self._num_above = self._num_above + 1 if above else 0
        if memory is not None and self._num_above == LOOKS:
            log.error(
                "memory: %d MB are %.0f %% of %s, %d MB: draining before the kernel kills this process",
                memory.used // 10**6,
                100 * memory.share,
                memory.of,
                memory.limit // 10**6,
            )
            # And never again: a drain that has begun ends the process.
            self._share = 0.0
            self._drain()
