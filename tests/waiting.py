"""Waiting in tests: for a condition, with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 10.0) -> None:
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            raise AssertionError(f"It did not happen within {seconds} s: {what}")
        sleep(0.002)
