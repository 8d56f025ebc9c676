"""200 prompts as a busy server gets them: mostly short, some long, some beginning alike."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from random import Random

from tasks.engine.types import GenerationRequest
from tests.fakes import make_request

NUM_PROMPTS = 200
#: Both sides of everything that has a size: a page and a chunk of 128 tokens, the window of 256, two windows.
EDGES = (1, 2, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1024, 1281, 1500)
USUALLY_LONGEST = 700
#: Lengths of the beginnings that prompts share.
SHARED = (255, 256, 300, 513, 640, 1000)
PROMPTS_PER_BEGINNING = 4
LONGEST_OWN = 90  #: Tokens after a shared beginning.
NEW_TOKENS = (4, 10)
SOON = 0.1  #: In this share of all the time.


def mixed_requests(text: Rows[int], rng: Random) -> list[GenerationRequest]:
    """Greedy requests in the order in which they come; each prompt is a piece of `text`, which is longer than
    any. Prompts that begin alike come soon after each other, with others between them."""

    def piece(length: int) -> tuple[int, ...]:
        start = rng.randrange(len(text) - length)
        return tuple(text[start : start + length])

    arrivals = [(rng.random(), piece(length)) for length in EDGES]
    for length in SHARED:
        first, beginning = rng.random(), piece(length)
        arrivals += [
            (first + SOON * rng.random(), (*beginning, *piece(rng.randint(1, LONGEST_OWN))))
            for _ in range(PROMPTS_PER_BEGINNING)
        ]
    while len(arrivals) < NUM_PROMPTS:
        # As many prompts of 1 to 10 tokens as of 60 to 600.
        arrivals.append((rng.random(), piece(round(USUALLY_LONGEST ** rng.random()))))
    return [
        make_request(prompt_ids=prompt, max_new_tokens=rng.randint(*NEW_TOKENS))
        for _, prompt in sorted(arrivals)
    ]
