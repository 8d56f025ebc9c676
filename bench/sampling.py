"""Choosing the next token of 16 rows: ours in one batched pass, against transformers' warpers.

    .venv/bin/python -m bench.sampling [--rounds 30] [--json FOLDER]

The same logits (16 rows, a vocabulary of 50,257) go to both, alternating. Theirs: temperature, top-k and
top-p warpers, softmax and `multinomial`, as `generate()` does it. *Peaked* logits are normal with a spread of
3, about that of a trained model; *flat* ones have the spread of random weights, so that top-p alone keeps
tens of thousands of tokens and every row has to be sorted. The share of the step: of one in which the engine
decodes 16 texts with top-k 50 and top-p 0.95.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from bench.command import Command, Run
from bench.engine import Case, new_engine, submit
from bench.result import Result, Table
from bench.rounds import alternate, ratio, timed
from tasks.engine.types import SamplingParams
from tasks.model.loading import LoadedModel
from tasks.model.native.library import Level, best_level
from tasks.model.sampling import Sampler, sample

NUM_ROWS = 16
VOCABULARY = 50257
#: In which the prompts of 16 texts of 64 tokens run, more than enough.
STARTING_STEPS = 16


@dataclass(frozen=True)
class Choice:
    name: str
    params: SamplingParams
    spread: float  #: Of the logits.


CASES = (
    Choice("top-k 50, top-p 0.95", SamplingParams(do_sample=True, temperature=0.9, top_k=50, top_p=0.95), 3),
    Choice("top-k 50", SamplingParams(do_sample=True, temperature=0.9, top_k=50), 3),
    Choice("top-p 0.95, peaked", SamplingParams(do_sample=True, temperature=0.9, top_p=0.95), 3),
    Choice("top-p 0.95, flat", SamplingParams(do_sample=True, temperature=0.9, top_p=0.95), 0.55),
)
GOAL = CASES[0]


def ours(params: SamplingParams, logits: Tensor) -> Callable[[], object]:
    samplers = [Sampler(params, (1, 2, 3)) for _ in range(NUM_ROWS)]
    # Only a repetition penalty changes the logits.
    return lambda: sample(logits, samplers, by_kernels=best_level() is not Level.NONE)


def theirs(params: SamplingParams, logits: Tensor) -> Callable[[], object]:
    warpers: list[LogitsProcessor] = [TemperatureLogitsWarper(params.temperature)]
    warpers += [TopKLogitsWarper(params.top_k)] if params.top_k else []
    warpers += [TopPLogitsWarper(params.top_p)] if params.top_p < 1 else []
    processors = LogitsProcessorList(warpers)
    ids: Any = torch.zeros(NUM_ROWS, 1, dtype=torch.long)
    return lambda: torch.multinomial(processors(ids, logits.clone()).softmax(1), 1).tolist()


def time_both(case: Choice, rounds: int) -> dict[str, list[float]]:
    logits = case.spread * torch.randn(NUM_ROWS, VOCABULARY, generator=torch.Generator().manual_seed(0))
    calls = {"ours": ours(case.params, logits), "warpers": theirs(case.params, logits)}
    contenders = {name: lambda call=call: timed(call) for name, call in calls.items()}
    alternate(contenders, 2)
    return alternate(contenders, rounds)


def step_seconds(model: LoadedModel, params: SamplingParams, rounds: int) -> float:
    """Of one in which all rows decode and draw."""
    case = Case(NUM_ROWS, 64, rounds + STARTING_STEPS)
    engine = new_engine(model, case.batch)
    submit(engine, case, sampling=params)
    steps = []
    while engine.has_work:
        stats = engine.step()
        if stats.num_decode_rows == NUM_ROWS and not stats.num_prefill_tokens:
            steps.append(stats.seconds)
    return median(steps)


def bench(run: Run) -> Result:
    found: dict[str, float] = {}
    steps = {name: step_seconds(model, GOAL.params, run.rounds) for name, model in run.models().items()}

    def rows() -> Iterator[list[str]]:
        for case in CASES:
            seconds = time_both(case, run.rounds)
            mine, faster = median(seconds["ours"]), ratio(seconds["warpers"], seconds["ours"])
            shares = [100 * mine / step for step in steps.values()]
            if case is GOAL:
                found["sampling.ratio"] = faster
                found.update(
                    {f"sampling.share.{name}": share for name, share in zip(steps, shares, strict=True)}
                )
            times = (f"{mine * 1000:.2f}", f"{median(seconds['warpers']) * 1000:.2f}", f"{faster:.1f}")
            yield [case.name, *times, *(f"{share:.1f} %" for share in shares)]

    columns = ("", "ours, ms", "warpers, ms", "ratio", *(f"of a {name} step" for name in steps))
    with torch.inference_mode():
        table = Table(f"Sampling, {NUM_ROWS} rows", columns, list(rows()))
    return Result("sampling", "", [table], found)


def main() -> None:
    with Command(__doc__, rounds=30).running() as run:
        run.finish(bench(run))


if __name__ == "__main__":
    main()
