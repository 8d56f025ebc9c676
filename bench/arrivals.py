"""Requests that arrive by chance, the same for every contender."""

from __future__ import annotations

import random
from dataclasses import dataclass

PROMPT_TOKENS = (8, 200)
NEW_TOKENS = (16, 128)


@dataclass(frozen=True)
class Arrival:
    at: float  #: Seconds from the begin.
    prompt_ids: tuple[int, ...]
    new_tokens: int


def poisson(count: int, gap: float, *, seed: int = 0) -> list[Arrival]:
    """`count` requests with exponential gaps of `gap` seconds on average, the first at once; the lengths of
    prompts and texts are uniform. Another gap moves the same requests closer together or further apart."""
    rng, arrivals, at = random.Random(seed), [], 0.0
    for _ in range(count):
        prompt = tuple(rng.randrange(1000) for _ in range(rng.randint(*PROMPT_TOKENS)))
        arrivals.append(Arrival(at, prompt, rng.randint(*NEW_TOKENS)))
        at += gap * rng.expovariate(1)
    return arrivals
