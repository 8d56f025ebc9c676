"""NeoServe's engine against what one would take instead, each in an environment and a process of its own.

    .venv/bin/python -m bench.peers [--rounds 3] [--only ours,onnxruntime_int8] [--json FOLDER]

Every contender loads the same random GPT-Neo-125M once and waits; then they take turns, case by case, with
the same prompts, greedily, on all cores. Before that, each continues prompts of 40, 200 and 400 tokens, which
are compared with generate()'s texts: this is also the warm-up. A contender that answers requests one after
another gets 4 of a case's prompts, and its rate is that of these. One that cannot be installed or started, or
that fails on the way, is reported with the reason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.machine import describe_machine, matrix_units
from bench.options import one_of, positive, several
from bench.peers.cases import CASES, CHECKED_LENGTHS, CHECKED_TOKENS, Case, Checked, Rates, check, figures
from bench.peers.contenders import CONTENDERS, STATIC, Contender
from bench.peers.environment import FOLDER, python_of
from bench.peers.process import PeerFailed, PeerProcess
from bench.peers.prompts import word_prompts
from bench.random_model import random_model
from bench.result import Result, Table
from bench.rounds import ratio

#: Whose versions the page names, by environment.
NAMED = (
    "transformers",
    "openvino-genai",
    "optimum-intel",
    "onnxruntime",
    "optimum-onnx",
    "litserve",
    "celery",
)


class Race:
    """The contenders that are still in it."""

    def __init__(self, model: Path, stack: ExitStack) -> None:
        self._model, self._stack = model, stack
        self.running: dict[Contender, PeerProcess] = {}
        self.failed: dict[str, str] = {}

    def start(self, contender: Contender) -> None:
        print(f"peers: starting {contender.name}", flush=True)
        try:
            python = python_of(contender.environment) if contender.environment else Path(sys.executable)
            module = f"bench.peers.{contender.module}"
            process = PeerProcess(python, module, str(self._model), *contender.arguments)
        except PeerFailed as error:
            self.drop(contender, error)
            return
        self._stack.callback(process.close)
        self.running[contender] = process

    def drop(self, contender: Contender, error: PeerFailed) -> None:
        self.failed[contender.name] = str(error)
        self.running.pop(contender, None)
        print(f"peers: {contender.name}: not run: {error}", flush=True)

    def check(self) -> Checked:
        prompts = [word_prompts(self._model, 1, length)[0] for length in CHECKED_LENGTHS]
        answers = {}
        for contender, process in list(self.running.items()):
            print(f"peers: checking {contender.name}", flush=True)
            try:
                answers[contender.name] = process.ask(prompts, CHECKED_TOKENS).tokens
            except PeerFailed as error:
                self.drop(contender, error)
        return check(answers)

    def measure(self, case: Case, rounds: int) -> dict[str, list[float]]:
        """New tokens per second of each contender in each round."""
        prompts = word_prompts(self._model, case.num_prompts, case.context)
        rates: dict[str, list[float]] = {}
        for number in range(1, rounds + 1):
            for contender, process in list(self.running.items()):
                if contender.fresh and not case.with_fresh:
                    continue
                asked = prompts[: case.num_asked(contender.serial)]
                try:
                    seconds = process.ask(asked, case.new_tokens).seconds
                except PeerFailed as error:
                    self.drop(contender, error)
                    rates.pop(contender.name, None)
                    continue
                rates.setdefault(contender.name, []).append(len(asked) * case.new_tokens / seconds)
                print(f"{case.name}, round {number}: {contender.name} {seconds:.1f} s", flush=True)
        return rates


def rows(case: Case, rates: Rates) -> Iterator[list[str]]:
    measured = rates[case.name]
    for name, each in measured.items():
        against = f"{ratio(each, measured[STATIC.name]):.2f}" if STATIC.name in measured else "–"
        yield [name, f"{median(each):.1f}", f"{case.new_tokens / median(each):.2f}", against]


def correctness(checked: Checked) -> Table:
    lines = [[name, *(f"{count}/{CHECKED_TOKENS}" for count in equal)] for name, equal in checked.items()]
    columns = ("", *(f"prompt of {length}" for length in CHECKED_LENGTHS))
    note = (
        "First tokens that equal those of generate() for each prompt alone; all prompts were given at once."
    )
    return Table("Are the texts right?", columns, lines, note)


def versions() -> str:
    """Of what the environments hold, as their lists say."""
    lines = {line for path in FOLDER.glob("*.txt") for line in path.read_text(encoding="utf-8").splitlines()}
    return "  ".join(sorted(line.replace("==", " ") for line in lines if line.partition("==")[0] in NAMED))


def bench(race: Race, cases: tuple[Case, ...], rounds: int) -> tuple[list[Table], dict[str, float]]:
    checked = race.check()
    measure = partial(race.measure, rounds=rounds)
    rates = {case.name: measure(case) for case in cases}
    columns = ("", "tokens/s", "seconds per text at that rate", "ratio to the static batch")
    tables = [Table(case.title, columns, list(rows(case, rates))) for case in cases]
    tables.append(correctness(checked))
    if race.failed:
        tables.append(Table("Not run", ("", "reason"), [[*each] for each in race.failed.items()]))
    return tables, figures(rates, checked)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=positive, default=3)
    names = [case.name for case in CASES]
    parser.add_argument("--cases", type=several(one_of(names)), default=names)
    parser.add_argument("--only", help="modules of the contenders that take part")
    parser.add_argument("--json", type=Path, help="folder for the result, which bench.report reads")
    options = parser.parse_args()
    machine = (
        f"{describe_machine('torch')}\n{versions()}\nNeoServe's own: transformers {version('transformers')}"
    )
    if units := matrix_units():
        machine += f"\nmatrix units: {units}: a peer's default precision is bf16 here"
    print(machine, flush=True)
    wanted = options.only.split(",") if options.only else [each.module for each in CONTENDERS]
    cases = tuple(case for case in CASES if case.name in options.cases)
    with ExitStack() as stack:
        race = Race(random_model(), stack)
        for contender in CONTENDERS:
            if contender.module in wanted:
                race.start(contender)
        tables, found = bench(race, cases, options.rounds)
    result = Result("peers", machine, tables, found)
    result.publish(options.json)


if __name__ == "__main__":
    main()
