"""The engine alone, without HTTP, Celery and Redis, against transformers' generate() on static batches.

    .venv/bin/python -m bench.engine [--rounds 5] [--precision float32,float16] [--model FOLDER]

Both sides get the same prompts, take turns in one process with the same number of threads, and write the
same number of tokens, greedily. *decode*: tokens per second once every text has its first one. *whole*: new
tokens per second from the first prompt token on. *prefill*: prompt tokens per second where one new token is
asked for. Medians over the rounds, and of the ratios to generate() within each round. Without --model: a
random GPT-Neo-125M.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import GPTNeoForCausalLM

from bench.machine import describe_machine
from tasks.engine.generation import Generation
from tasks.model.gpt_neo import GPTNeoRunner
from tasks.model.loading import load
from tasks.model.pages import PAGE_TOKENS, num_pages
from tasks.model.precision import Precision
from tasks.model.weights import Weights
from tests.fakes import make_request
from tests.models import build_random_model
from tests.reference import numbers_engine, read_network


@dataclass(frozen=True)
class Case:
    batch: int
    context: int  #: Prompt tokens of each text.
    new_tokens: int

    @property
    def num_prompt(self) -> int:
        return self.batch * self.context

    @property
    def num_new(self) -> int:
        return self.batch * self.new_tokens

    def prompts(self) -> list[list[int]]:
        rng = random.Random(self.batch * self.context)
        return [[rng.randrange(1000) for _ in range(self.context)] for _ in range(self.batch)]


CASES = (Case(1, 64, 24), Case(4, 64, 24), Case(16, 64, 32), Case(16, 512, 16), Case(32, 64, 16))


@dataclass(frozen=True)
class Rates:
    """Tokens per second."""

    decode: float
    whole: float
    prefill: float


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def time_engine(weights: Weights, case: Case) -> Rates:
    runner = GPTNeoRunner(
        weights,
        num_slots=case.batch,
        eos_token_ids=frozenset(),
        num_kv_tokens=case.batch * num_pages(case.context + case.new_tokens) * PAGE_TOKENS,
    )
    engine = numbers_engine(runner)

    def submit(new_tokens: int) -> list[Generation]:
        return [
            engine.submit(make_request(prompt_ids=tuple(ids), max_new_tokens=new_tokens))
            for ids in case.prompts()
        ]

    def run_until(done: Callable[[], bool]) -> float:
        return timed(lambda: [engine.step() for _ in iter(done, True)])

    submit(1)
    prefill = run_until(lambda: not engine.has_work)
    generations = submit(case.new_tokens)
    first = run_until(lambda: all(each.num_tokens for each in generations))
    # Some texts have more by then: decoding and prefill share the steps.
    left = case.num_new - sum(each.num_tokens for each in generations)
    rest = run_until(lambda: not engine.has_work)
    return Rates(left / rest, case.num_new / (first + rest), case.num_prompt / prefill)


def time_generate(network: GPTNeoForCausalLM, case: Case) -> Rates:
    ids = torch.tensor(case.prompts())
    call: Any = network.generate

    def generate(new_tokens: int) -> object:
        return call(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=new_tokens,
            eos_token_id=None,
            pad_token_id=0,
        )

    first, whole = timed(lambda: generate(1)), timed(lambda: generate(case.new_tokens))
    decode = (case.num_new - case.batch) / (whole - first)
    return Rates(decode, case.num_new / whole, case.num_prompt / first)


def compare(contenders: dict[str, Callable[[Case], Rates]], case: Case, rounds: int) -> Iterator[str]:
    """Rows of the table; the first contender is what the others are compared with."""
    for measure in contenders.values():
        measure(case)
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            measured[name].append(asdict(measure(case)))
    peers = measured[next(iter(contenders))]
    for name, rates in measured.items():
        cells = []
        for kind in ("decode", "whole", "prefill"):
            ratios = (ours[kind] / peer[kind] for ours, peer in zip(rates, peers, strict=True))
            cells.append(f"{median(each[kind] for each in rates):.0f} ({median(ratios):.2f})")
        yield f"| {case.batch} | {case.context} + {case.new_tokens} | {name} | {' | '.join(cells)} |"


def bench(folder: Path, precisions: list[Precision], rounds: int) -> None:
    network = read_network(folder)
    contenders: dict[str, Callable[[Case], Rates]] = {"generate()": lambda case: time_generate(network, case)}
    for precision in precisions:
        weights = load(str(folder), precision=precision).weights
        if weights.precision is precision:
            contenders[precision] = lambda case, weights=weights: time_engine(weights, case)  # type: ignore[misc]
        else:
            print(f"{precision} does not work on this processor")
    print("\n| texts | tokens | | decode, tokens/s (ratio) | whole | prefill |\n|---|---|---|---|---|---|")
    for case in CASES:
        for row in compare(contenders, case, rounds):
            print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine against generate() on static batches.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default=",".join(list(Precision)[1:]))
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    precisions = [Precision(name) for name in options.precision.split(",")]
    print(describe_machine("torch", "transformers"))
    print(f"threads: {torch.get_num_threads()}")
    with tempfile.TemporaryDirectory() as folder:
        bench(options.model or build_random_model(folder, "125m"), precisions, options.rounds)


if __name__ == "__main__":
    main()
