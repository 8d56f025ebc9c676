"""The engine alone, without HTTP, Celery and Redis, against transformers' generate() on static batches.

    .venv/bin/python -m bench.engine [--rounds 3] [--precision float32,float16] [--cases 1x64,16x64]

Both sides get the same prompts, take turns in one process with the same number of threads, and write the
same number of tokens, greedily. *decode*: tokens per second while all texts decode. *whole*: new
tokens per second from the first prompt token on. *prefill*: prompt tokens per second until the last text has
its first token. Medians over the rounds, and of the ratios to generate() within each round.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.command import Command, Run
from bench.generate import generate, read_network
from bench.options import one_of, several
from bench.result import Result, Table
from bench.rounds import alternate, ratio, timed
from tasks.engine.engine import Engine
from tasks.engine.generation import Generation
from tasks.engine.scheduler import MAX_PREFILL_TOKENS
from tasks.model.loading import LoadedModel
from tasks.model.precision import Precision
from tests.fakes import make_request
from tests.memory import held_bytes
from tests.reference import numbers_engine

PEER = "generate()"
KINDS = ("decode", "whole", "prefill")
#: More room than a text needs: keys and values are taken in pages.
SPARE_TOKENS = 128


@dataclass(frozen=True)
class Case:
    batch: int
    context: int  #: Prompt tokens of each text.
    new_tokens: int

    @property
    def num_new(self) -> int:
        return self.batch * self.new_tokens

    @property
    def name(self) -> str:
        return f"{self.batch}x{self.context}"

    def prompts(self) -> list[list[int]]:
        rng = random.Random(self.batch * self.context)
        return [[rng.randrange(1000) for _ in range(self.context)] for _ in range(self.batch)]


CASES = (
    Case(1, 64, 24),
    Case(4, 64, 24),
    Case(8, 64, 24),
    Case(16, 64, 32),
    Case(16, 512, 16),
    Case(32, 64, 16),
)


@dataclass(frozen=True)
class Rates:
    """Tokens per second."""

    decode: float
    whole: float
    prefill: float


def new_engine(model: LoadedModel, num_slots: int, num_kv_tokens: int = 0) -> Engine:
    """An engine whose texts end at their length only."""
    return numbers_engine(replace(model, eos_token_ids=frozenset()).new_runner(num_slots, num_kv_tokens))


def submit(engine: Engine, case: Case, **options: Any) -> list[Generation]:
    requests = [
        make_request(prompt_ids=tuple(ids), max_new_tokens=case.new_tokens, **options)
        for ids in case.prompts()
    ]
    return [engine.submit(request) for request in requests]


def run_until(engine: Engine, done: Callable[[], bool]) -> float:
    """Seconds of the steps."""
    return timed(lambda: [engine.step() for _ in iter(done, True)])


def time_engine(model: LoadedModel, case: Case) -> Rates:
    engine = new_engine(model, case.batch, case.batch * (case.context + case.new_tokens + SPARE_TOKENS))
    generations = submit(engine, case)
    first = run_until(engine, lambda: all(each.num_tokens for each in generations))
    rest = run_until(engine, lambda: not engine.has_work)
    whole, prefill = case.num_new / (first + rest), case.batch * case.context / first
    return Rates(time_decoding(model, case), whole, prefill)


def time_decoding(model: LoadedModel, case: Case) -> float:
    """Tokens per second while all texts decode: the first ones write on until the last prompt is run."""
    longer = replace(case, new_tokens=case.new_tokens + case.batch * case.context // MAX_PREFILL_TOKENS + 1)
    engine = new_engine(model, case.batch, case.batch * (case.context + longer.new_tokens + SPARE_TOKENS))
    generations = submit(engine, longer)
    run_until(engine, lambda: all(each.num_tokens for each in generations))
    num_steps = case.new_tokens - 1
    return case.batch * num_steps / timed(lambda: [engine.step() for _ in range(num_steps)])


def time_generate(network: Any, case: Case) -> Rates:
    seconds = generate(network, case.prompts(), case.new_tokens).seconds
    first, whole = seconds[0], seconds[-1]
    decode = (case.num_new - case.batch) / (whole - first)
    return Rates(decode, case.num_new / whole, case.batch * case.context / first)


def compare(
    models: dict[Precision, LoadedModel], network: Any, case: Case, rounds: int
) -> dict[str, list[Rates]]:
    contenders: dict[str, Callable[[Case], Rates]] = {PEER: partial(time_generate, network)}
    contenders |= {precision: partial(time_engine, model) for precision, model in models.items()}
    # Operators prepare themselves for a number of rows; the length of the context is nothing to them.
    short = replace(case, context=64)
    alternate({name: partial(measure, short) for name, measure in contenders.items()}, 1)
    turns = {name: partial(measure, case) for name, measure in contenders.items()}
    return alternate(turns, rounds, say=f"{case.batch} x {case.context} + {case.new_tokens}")


def ratios(measured: dict[str, list[Rates]], name: str) -> dict[str, float]:
    """To generate(), by kind."""
    return {
        kind: ratio(
            [asdict(each)[kind] for each in measured[name]], [asdict(each)[kind] for each in measured[PEER]]
        )
        for kind in KINDS
    }


def rows(case: Case, measured: dict[str, list[Rates]]) -> Iterator[list[str]]:
    for name, rates in measured.items():
        against = ratios(measured, name)
        cells = [
            f"{median(asdict(each)[kind] for each in rates):.0f} ({against[kind]:.2f})" for kind in KINDS
        ]
        yield [str(case.batch), f"{case.context} + {case.new_tokens}", name, *cells]


def figures(case: Case, measured: dict[str, list[Rates]]) -> Iterator[tuple[str, float]]:
    for name, rates in measured.items():
        for kind in KINDS:
            yield f"engine.{kind}_rate.{case.name}.{name}", median(asdict(each)[kind] for each in rates)
            if name != PEER:
                yield f"engine.{kind}.{case.name}.{name}", ratios(measured, name)[kind]


def memory(folder: Path, precisions: list[Precision]) -> Iterator[list[str]]:
    for precision in precisions if Path("/proc/self/statm").exists() else ():
        yield [precision, f"{held_bytes(folder, precision) / 1e6:.0f}"]


def bench(run: Run) -> Result:
    models, network = run.models(), read_network(run.folder)
    table: list[list[str]] = []
    found: dict[str, float] = {}
    for case in CASES:
        if case.name in run.options.cases:
            measured = compare(models, network, case, run.rounds)
            table += rows(case, measured)
            found |= dict(figures(case, measured))
    held = list(memory(run.folder, list(models)))
    return Result(
        "engine",
        "",
        [
            Table(
                "The engine against generate() on one static batch: tokens per second (ratio)",
                ("texts", "tokens of each", "", *KINDS),
                table,
            ),
            Table("Memory that a loaded model takes", ("weights", "MB"), held),
        ],
        found,
    )


def main() -> None:
    command = Command(__doc__, rounds=3)
    names = [case.name for case in CASES]
    command.parser.add_argument(
        "--cases", type=several(one_of(names)), default=names, help=f"of {', '.join(names)} (default: all)"
    )
    with command.running() as run:
        run.finish(bench(run))


if __name__ == "__main__":
    main()
