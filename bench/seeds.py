"""How many seeded texts are another in company than alone.

    .venv/bin/python -m bench.seeds [--texts 2000] [--precision auto,float32] [--kernels auto]

The shipped model on pieces of its held-out stories, 1 to 200 tokens, with the sampling that its card says
and a seed each. Every text is drawn alone, in an engine that runs nothing else, and in company: 16 at a time
that join and leave at random, in chunks, with pages shared between prompts that begin alike. A text
*diverges* when any token differs; from there on everything may.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

from bench.machine import describe_machine
from bench.options import one_of, positive, several
from bench.result import Table
from tasks.engine.types import GenerationRequest, SamplingParams
from tasks.model.loading import SHIPPED_MODEL, LoadedModel, load
from tasks.model.precision import Kernels, Precision
from tests.fakes import make_request
from tests.reference import numbers_engine, run_all, tokens

NUM_SLOTS = 16
PREFIX_TOKENS = 2048
LONGEST_PROMPT = 200
NEW_TOKENS = 50
#: One in so many has the prompt of the one before, as the rows of one job have.
TWINS = 4


def requests(model: LoadedModel, count: int) -> list[GenerationRequest]:
    rng = Random(count)
    ids = model.encode((Path(SHIPPED_MODEL) / "held_out.txt").read_text(encoding="utf-8"))
    known = {"do_sample", "temperature", "top_k", "top_p", "repetition_penalty"}
    defaults = {name: value for name, value in model.generation_defaults.items() if name in known}
    prompt: tuple[int, ...] = ()
    asked = []
    for seed in range(count):
        if seed % TWINS != 1:
            start = rng.randrange(len(ids) - LONGEST_PROMPT)
            prompt = tuple(ids[start : start + rng.randint(1, LONGEST_PROMPT)])
        sampling = SamplingParams(**{"do_sample": True, **defaults, "seed": seed})
        asked.append(make_request(prompt_ids=prompt, max_new_tokens=NEW_TOKENS, sampling=sampling))
    return asked


def alone(model: LoadedModel, asked: list[GenerationRequest]) -> Iterator[list[int]]:
    engine = numbers_engine(model.new_runner(1))
    for request in asked:
        generation = engine.submit(request)
        run_all(engine)
        yield tokens(generation)


def in_company(model: LoadedModel, asked: list[GenerationRequest]) -> list[list[int]]:
    rng = Random(len(asked))
    engine = numbers_engine(model.new_runner(NUM_SLOTS, 0, PREFIX_TOKENS))
    generations = []
    for request in asked:
        generations.append(engine.submit(request))
        # As many come as go, on average, so that the slots are full most of the time.
        for _ in range(rng.choice((0, 1, 2, 8))):
            engine.step()
    run_all(engine)
    return [tokens(each) for each in generations]


def divergences(expected: list[list[int]], found: list[list[int]]) -> list[int]:
    """Of the texts that differ: the place of the first token that does."""
    places = []
    for one, other in zip(expected, found, strict=True):
        if one != other:
            pairs = enumerate(zip(one, other, strict=False))
            places.append(next((place for place, (a, b) in pairs if a != b), min(len(one), len(other))))
    return places


def row(model: LoadedModel, asked: list[GenerationRequest]) -> list[str]:
    started = time.monotonic()
    expected, found = list(alone(model, asked)), in_company(model, asked)
    places = divergences(expected, found)
    return [
        str(model.weights.precision),
        "native" if model.weights.native else "torch",
        str(len(asked)),
        str(sum(map(len, expected))),
        str(len(places)),
        f"{100 * len(places) / len(asked):.2f} %",
        f"{median(places):.0f}" if places else "",
        f"{time.monotonic() - started:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=positive, default=2000)
    parser.add_argument("--precision", type=several(one_of(Precision)), default="auto,float32")
    parser.add_argument("--kernels", type=one_of(Kernels), default=str(Kernels.AUTO))
    options = parser.parse_args()
    print(describe_machine("torch"), flush=True)
    rows = []
    for precision in options.precision:
        model = load(str(SHIPPED_MODEL), precision=Precision(precision), kernels=Kernels(options.kernels))
        rows.append(row(model, requests(model, options.texts)))
    columns = (
        "weights",
        "kernels",
        "texts",
        "tokens",
        "diverge",
        "rate",
        "first at token, median",
        "seconds",
    )
    note = (
        f"Up to {NEW_TOKENS} tokens each; alone against {NUM_SLOTS} at a time. *From token*: the first that"
        " differs, median."
    )
    print(f"\n{Table('Seeded texts that differ in company', columns, rows, note).markdown()}")


if __name__ == "__main__":
    main()
