"""What the processor allows at most, measured here, and how much of it the engine reaches when it decodes.

    .venv/bin/python -m bench.roofline [--rounds 3] [--precision float32,float16] [--json FOLDER]

*Read*: bytes per second of reading, over and over, an array as large as the float32 weights and one as large
as the half-precision ones: a cache that large is then part of the bound, as it is part of the engine's luck.
*Multiply-add*: float32 operations per second in the registers. Both by a small C++ program that the system's
compiler makes here, with as many threads as torch has.

A decoding step must read all weights and the keys and values of its rows once, and multiply every weight with
every row: the floor is the larger of the two times. Batch 1 is compared with the first, 16 and 32 with the
second. A processor with matrix units (AMX) multiplies outside the vector units, so there the multiply-add
rate is no bound, and a share above 100 % says just this.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch

from bench.command import Command, Run
from bench.engine import Case, Rates, time_engine
from bench.machine import matrix_units
from bench.result import Result, Table
from bench.rounds import alternate
from tasks.model.loading import LoadedModel
from tasks.model.precision import Precision

CASES = (Case(1, 64, 24), Case(16, 64, 24), Case(32, 64, 16))
#: Bytes of one weight as it is read, by form.
WEIGHT_BYTES = {Precision.FLOAT32: 4, Precision.FLOAT16: 2, Precision.FLOAT16_INT8HEAD: 2, Precision.INT8: 1}


@dataclass(frozen=True)
class Machine:
    """Bytes and operations per second."""

    read: float
    multiply_add: float


def compile_probe(folder: Path) -> Path | None:
    """The program that measures the machine, or None without a compiler."""
    compiler = shutil.which("c++")
    if compiler is None:
        return None
    program, source = folder / "roofline", Path(__file__).with_suffix(".cpp")
    # -fassociative-math is not asked for: every sum stays one chain, so nothing is computed away.
    options = ["-O3", "-march=native", "-ffp-contract=fast", "-std=c++17", "-pthread"]
    subprocess.run([compiler, *options, str(source), "-o", str(program)], check=True)
    return program


def probe(program: Path, num_bytes: int) -> Machine:
    command = [str(program), str(torch.get_num_threads()), str(num_bytes), "0.5"]
    measured = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Machine(measured["read"], measured["multiply_add"])


@dataclass(frozen=True)
class Work:
    """Of one decoding step."""

    num_bytes: float
    operations: float

    def seconds(self, machine: Machine) -> tuple[float, float]:
        """At least: for reading, for multiplying."""
        return self.num_bytes / machine.read, self.operations / machine.multiply_add


def num_weights(model: LoadedModel) -> int:
    """That take part in every token: the blocks' matrices and the vocabulary's."""
    vocabulary, hidden = model.weights.token_embedding.shape
    return 12 * hidden * hidden * len(model.weights.layers) + vocabulary * hidden


def work(model: LoadedModel, case: Case) -> Work:
    """With keys and values of 2 bytes, their smallest form, half-way through the new tokens."""
    weights, hidden = model.weights, model.weights.token_embedding.shape[1]
    context = case.context + case.new_tokens / 2
    seen = sum(min(context, layer.window or context) for layer in weights.layers)
    num_values = 2 * case.batch * seen * hidden  # One key and one value for each token that a layer sees.
    return Work(
        num_weights(model) * WEIGHT_BYTES[weights.precision] + 2 * num_values,
        2 * (case.batch * num_weights(model) + num_values),
    )


def rows(
    models: dict[Precision, LoadedModel], machines: dict[Precision, Machine], measured: dict[str, list[Rates]]
) -> Iterator[tuple[list[str], str, float]]:
    """Cells, name of the figure, the share of the bound."""
    for case in CASES:
        for precision, model in models.items():
            seconds = case.batch / median(each.decode for each in measured[f"{precision} {case.name}"])
            read, multiply = work(model, case).seconds(machines[precision])
            bound = read if case.batch == 1 else multiply
            cells = [f"{each * 1000:.1f}" for each in (read, multiply, seconds)]
            yield (
                [str(case.batch), precision, *cells, f"{100 * bound / seconds:.0f} %"],
                f"roofline.{case.batch}.{precision}",
                100 * bound / seconds,
            )


def bench(run: Run, program: Path) -> Result:
    models = run.models()
    sizes = {precision: num_weights(model) * WEIGHT_BYTES[precision] for precision, model in models.items()}
    contenders = {
        f"{precision} {case.name}": partial(time_engine, model, case)
        for case in CASES
        for precision, model in models.items()
    }
    probes = {f"read {precision}": partial(probe, program, size) for precision, size in sizes.items()}
    alternate(contenders, 1)
    measured = alternate(contenders, run.rounds, say="roofline")
    probed = alternate(probes, max(run.rounds, 3), say="roofline")
    machines = {
        precision: Machine(
            max(each.read for each in probed[f"read {precision}"]),
            max(each.multiply_add for every in probed.values() for each in every),
        )
        for precision in models
    }
    lines = list(rows(models, machines, measured))
    limits = [
        [f"read, over {sizes[precision] / 1e6:.0f} MB, GB/s", f"{machine.read / 1e9:.1f}"]
        for precision, machine in machines.items()
    ]
    limits.append(
        ["float32 multiply-add, GFLOP/s", f"{next(iter(machines.values())).multiply_add / 1e9:.0f}"]
    )
    units = matrix_units()
    note = f"This processor has matrix units ({units}): its multiply-add rate is no bound." if units else ""
    columns = ("texts", "weights", "reading, ms", "multiplying, ms", "step, ms", "share of the bound")
    tables = [
        Table("What the machine allows", ("", ""), limits, note),
        Table(
            "Decoding, 64 tokens before: bounds and what the engine takes",
            columns,
            [line[0] for line in lines],
        ),
    ]
    return Result("roofline", "", tables, {name: share for _, name, share in lines})


def main() -> None:
    with Command(__doc__, rounds=3).running() as run, tempfile.TemporaryDirectory() as folder:
        program = compile_probe(Path(folder))
        if program is None:
            sys.exit("roofline: not run: no C++ compiler (c++) on PATH")
        run.finish(bench(run, program))


if __name__ == "__main__":
    main()
