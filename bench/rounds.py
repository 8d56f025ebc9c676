"""Contenders that take turns, and what is made of their figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles
from typing import TypeVar

Measured = TypeVar("Measured")


def alternate(
    contenders: Mapping[str, Callable[[], Measured]], rounds: int, *, say: str = ""
) -> dict[str, list[Measured]]:
    """What each contender measured in each round: A B C, A B C, ... so that a slow minute meets all of them.
    With `say`, progress is printed under that name."""
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(1, rounds + 1):
        for name, measure in contenders.items():
            started = time.perf_counter()
            measured[name].append(measure())
            if say:
                print(f"{say}, round {number}: {name} {time.perf_counter() - started:.1f} s", flush=True)
    return measured


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within the rounds: what slows a whole round down cancels out."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` of the values lie, interpolated; `percent` from 1 to 99."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]
