"""NeoServe's engine, alone: `FOLDER PRECISION`."""

from __future__ import annotations

import sys
from dataclasses import replace

from bench.peers.protocol import Answer, Prompts, serve
from tasks.model.loading import load as load_model
from tasks.model.precision import Precision
from tests.fakes import make_request
from tests.reference import numbers_engine, run_all, tokens

NUM_SLOTS = 32


def load() -> Answer:
    precision = Precision(sys.argv[2])
    model = load_model(sys.argv[1], precision=precision)
    if model.weights.precision is not precision:
        sys.exit(f"{precision} does not work on this processor")
    engine = numbers_engine(replace(model, eos_token_ids=frozenset()).new_runner(NUM_SLOTS))

    def answer(prompts: Prompts, new_tokens: int) -> list[list[int]]:
        requests = [make_request(prompt_ids=tuple(ids), max_new_tokens=new_tokens) for ids in prompts]
        generations = [engine.submit(request) for request in requests]
        run_all(engine)
        return [tokens(generation) for generation in generations]

    return answer


if __name__ == "__main__":
    serve(load)
