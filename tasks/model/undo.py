"""Taking back what a computation that failed has written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor


@contextmanager
def restored_on_failure(memories: Iterable[Tensor]) -> Iterator[None]:
    """Where the body raises, these hold what they held before."""
    saved = [(memory, memory.clone()) for memory in memories]
    try:
        yield
    except Exception:
        for memory, before in saved:
            memory.copy_(before)
        raise


def forgets(start: int, end: int, window: int, num_places: int) -> bool:
    """Whether a chunk from `start` to `end` takes places of its ring that hold what its first token sees:
    to run it again needs what they held."""
    return start > 0 and end - num_places > max(0, start - window + 1)
