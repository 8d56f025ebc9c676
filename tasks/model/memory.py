"""The memory of the process."""

from __future__ import annotations

import ctypes


def return_freed_memory() -> None:
    """Give memory that was freed back to the system: glibc keeps it for later, a fifth of a packed model."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
