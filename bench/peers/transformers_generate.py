"""generate() of transformers: `FOLDER alone`, one prompt after the other, or `FOLDER together`, one batch."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from bench.generate import generate, read_network
from bench.peers.protocol import Answer, Prompts, serve


def alone(network: Any, prompts: Prompts, new_tokens: int) -> list[list[int]]:
    return [generate(network, [prompt], new_tokens).tokens[0] for prompt in prompts]


def together(network: Any, prompts: Prompts, new_tokens: int) -> list[list[int]]:
    return generate(network, prompts, new_tokens).tokens


def load() -> Answer:
    return partial({"alone": alone, "together": together}[sys.argv[2]], read_network(sys.argv[1]))


if __name__ == "__main__":
    serve(load)
