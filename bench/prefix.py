"""Requests that begin alike: with the prefix cache and without.

    .venv/bin/python -m bench.prefix [--rounds 2] [--shared 512] [--requests 16] [--json FOLDER]

All prompts share their first tokens and end in 16 of their own; all wait from the begin. Each run has a new
engine, so the first prompt finds nothing to reuse. Alternating: the p50 and p95 of the time to the first
token, and the time until all 16 texts have their 16 new tokens.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from bench.command import Command, Run
from bench.engine import SPARE_TOKENS
from bench.options import positive
from bench.result import Result, Table
from bench.rounds import alternate, percentile, ratio
from tasks.model.loading import LoadedModel
from tests.fakes import make_request
from tests.reference import numbers_engine, run_all, tokens

OWN_TOKENS = 16
NEW_TOKENS = 16
#: Room that is never short: the question is what reuse saves.
PREFIX_TOKENS = 4096


@dataclass(frozen=True)
class Reuse:
    """One run; seconds."""

    first_tokens: list[float]
    makespan: float
    texts: list[list[int]]

    def first_token(self, percent: int) -> float:
        return percentile(self.first_tokens, percent)


def prompts(num_requests: int, num_shared: int) -> list[list[int]]:
    rng = random.Random(num_shared)
    shared = [rng.randrange(1000) for _ in range(num_shared)]
    return [shared + [rng.randrange(1000) for _ in range(OWN_TOKENS)] for _ in range(num_requests)]


def serve(model: LoadedModel, num_prefix_tokens: int, asked: list[list[int]]) -> Reuse:
    num_tokens = sum(len(ids) + NEW_TOKENS + SPARE_TOKENS for ids in asked)
    runner = replace(model, eos_token_ids=frozenset()).new_runner(len(asked), num_tokens, num_prefix_tokens)
    engine = numbers_engine(runner)
    started = time.monotonic()
    requests = [make_request(prompt_ids=tuple(ids), max_new_tokens=NEW_TOKENS) for ids in asked]
    generations = [engine.submit(request) for request in requests]
    run_all(engine)
    makespan = time.monotonic() - started
    texts = [tokens(each) for each in generations]
    first = [each.first_token_at - started for each in generations if each.first_token_at is not None]
    return Reuse(first, makespan, texts)


def rows(precision: str, measured: dict[str, list[Reuse]]) -> Iterator[list[str]]:
    for name, runs in measured.items():
        figures = (
            median(run.first_token(50) for run in runs),
            median(run.first_token(95) for run in runs),
            median(run.makespan for run in runs),
        )
        yield [precision, name, *(f"{figure:.3g}" for figure in figures)]


def bench(run: Run) -> Result:
    asked = prompts(run.options.requests, run.options.shared)
    table: list[list[str]] = []
    found: dict[str, float] = {}
    for precision, model in run.models().items():
        contenders = {
            "with": partial(serve, model, PREFIX_TOKENS, asked),
            "without": partial(serve, model, 0, asked),
        }
        measured = alternate(contenders, run.rounds, say=f"prefix, {precision}")
        texts = [each.texts for runs in measured.values() for each in runs]
        if precision == "float32" and any(each != texts[0] for each in texts):
            raise RuntimeError("the prefix cache changed a text")
        table += rows(precision, measured)
        found[f"prefix.ttft.{precision}"] = ratio(
            [each.first_token(50) for each in measured["without"]],
            [each.first_token(50) for each in measured["with"]],
        )
    title = f"{len(asked)} prompts that share {run.options.shared} tokens, {NEW_TOKENS} new ones each"
    columns = ("weights", "prefix cache", "first token p50, s", "p95, s", "all done, s")
    return Result("prefix", "", [Table(title, columns, table)], found)


def main() -> None:
    command = Command(__doc__, rounds=2)
    command.parser.add_argument("--shared", type=positive, default=512)
    command.parser.add_argument("--requests", type=positive, default=16)
    with command.running() as run:
        run.finish(bench(run))


if __name__ == "__main__":
    main()
