"""The options that the benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from bench.machine import describe_machine
from bench.options import one_of, positive, several
from bench.random_model import random_model
from bench.result import Result
from tasks.model.loading import LoadedModel, load
from tasks.model.precision import Precision


class Command:
    """A benchmark's command line: the shared options, and what it adds to `parser`."""

    def __init__(self, module_doc: str | None, *, rounds: int, precision: str = "float32,float16") -> None:
        self.parser = argparse.ArgumentParser(
            description=module_doc, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        add = self.parser.add_argument
        add("--rounds", type=positive, default=rounds, help=f"of all contenders in turn (default {rounds})")
        add(
            "--precision",
            type=several(one_of(Precision)),
            default=precision,
            help=f"of our side, {', '.join(Precision)} (default {precision})",
        )
        add("--model", type=Path, help="folder of a GPT-Neo (default: a random one of 125M)")
        add("--threads", type=positive, help="of torch, on both sides (default: one for each core)")
        add("--json", type=Path, help="folder for the result, which bench.report reads")

    @contextmanager
    def running(self, *packages: str) -> Iterator[Run]:
        """Parse, print the machine, and hand out what the options say."""
        options = self.parser.parse_args()
        if options.threads:
            torch.set_num_threads(options.threads)
        packages = ("torch", "transformers", *packages)
        machine = f"{describe_machine(*packages)}\nthreads of torch: {torch.get_num_threads()}"
        print(machine, flush=True)
        yield Run(options, machine)


class Run:
    """One run of a benchmark."""

    def __init__(self, options: argparse.Namespace, machine: str) -> None:
        self.options = options
        self.rounds: int = options.rounds
        self.folder: Path = options.model or random_model()
        self._machine = machine

    def models(self) -> dict[Precision, LoadedModel]:
        """The model in every form that was asked for and that this processor has."""
        models = {}
        for precision in map(Precision, self.options.precision):
            model = load(str(self.folder), precision=precision)
            if model.weights.precision is precision:
                models[precision] = model
            else:
                print(f"{precision} does not work on this processor")
        return models

    def finish(self, result: Result) -> None:
        """Print the tables and keep the result where `--json` says."""
        result = Result(result.name, self._machine, result.tables, result.figures)
        result.publish(self.options.json)
