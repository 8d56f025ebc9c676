"""What of a decoding step at 16 rows is not the model's arithmetic.

    .venv/bin/python -m bench.overhead [--steps 60] [--rounds 3] [--json FOLDER]

Two parts, of the median step in which 16 texts decode greedily:

- *engine*: the time in `Engine.step` outside the runner: admission, schedule, commit, turning tokens into
  text (here: into their numbers). Timed in the full model's own steps.
- *runner's Python*: the whole runner of a model with as many layers, whose matrices are next to nothing (32
  wide, a vocabulary of 1,000): Python, torch's dispatch of every operator and the start of its threads. What
  the operators cost at that size is counted too, so the true share is below.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.command import Command, Run
from bench.engine import Case, submit
from bench.options import positive
from bench.result import Result, Table
from bench.rounds import alternate
from bench.sampling import STARTING_STEPS
from tasks.engine.runner import Chunk
from tasks.model.forms import choose
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.loading import LoadedModel
from tasks.model.precision import Precision
from tasks.model.weights import Weights, pack
from tests.models import random_config, random_network
from tests.reference import numbers_engine

NUM_ROWS = 16


class TimedRunner(GPTNeoRunner):
    """Keeps how long its last `run` took."""

    seconds = 0.0

    def run(self, chunks: Sequence[Chunk]) -> list[int | Exception]:
        started = time.perf_counter()
        tokens = super().run(chunks)
        self.seconds = time.perf_counter() - started
        return tokens


@dataclass(frozen=True)
class Step:
    """Medians, in seconds."""

    whole: float
    runner: float
    engine: float  #: What is not in the runner.


def time_steps(weights: Weights, num_steps: int) -> Step:
    case = Case(NUM_ROWS, 64, num_steps + STARTING_STEPS)
    runner = TimedRunner(weights, num_slots=case.batch, eos_token_ids=frozenset())
    engine = numbers_engine(runner)
    submit(engine, case)
    steps = []
    while engine.has_work:
        started = time.perf_counter()
        stats = engine.step()
        whole = time.perf_counter() - started
        if stats.num_decode_rows == NUM_ROWS and not stats.num_prefill_tokens:
            steps.append((whole, runner.seconds, whole - runner.seconds))
    return Step(*(median(column) for column in zip(*steps, strict=True)))


def hollow(like: LoadedModel, precision: Precision) -> Weights:
    """As many layers, nothing in them."""
    config = random_config(
        "tiny",
        hidden_size=32,
        num_heads=2,
        num_layers=len(like.weights.layers),
        attention_types=[[["global", "local"], len(like.weights.layers) // 2]],
        vocab_size=1000,
        bos_token_id=0,
        eos_token_id=0,
    )
    return pack(random_network(config), choose(precision))


def bench(run: Run) -> Result:
    rows, found = [], {}
    for precision, model in run.models().items():
        contenders = {
            "model": partial(time_steps, model.weights, run.options.steps),
            "hollow": partial(time_steps, hollow(model, precision), run.options.steps),
        }
        measured = alternate(contenders, run.rounds, say=f"overhead {precision}")
        whole = median(step.whole for step in measured["model"])
        engine = median(step.engine for step in measured["model"])
        python = median(step.runner for step in measured["hollow"])
        share = 100 * (engine + python) / whole
        found[f"overhead.{precision}"] = share
        rows.append(
            [precision, *(f"{each * 1000:.2f}" for each in (whole, engine, python)), f"{share:.1f} %"]
        )
    columns = ("weights", "step, ms", "engine, ms", "runner's Python, ms", "share of the step")
    return Result("overhead", "", [Table(f"Scheduler and Python, {NUM_ROWS} rows", columns, rows)], found)


def main() -> None:
    command = Command(__doc__, rounds=3)
    command.parser.add_argument("--steps", type=positive, default=60)
    with command.running() as run:
        run.finish(bench(run))


if __name__ == "__main__":
    main()
