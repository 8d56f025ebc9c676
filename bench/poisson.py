"""Requests that arrive while others run: the engine against generate(), one at a time and in static batches.

    .venv/bin/python -m bench.poisson [--gap 0.05] [--requests 32] [--rounds 1] [--precision float32,float16]

All contenders get the same requests at the same moments (prompts of 8 to 200 tokens, 16 to 128 new ones) and
really run, one contender after the other, in one process with the same threads. generate() takes what has
arrived, first come first served: one request, or up to 8 that wait, padded on the left. A token counts from
the step that made it, as if generate() sent it at once; its own texts come only when the longest is done.

The requests arrive faster than any contender serves them: otherwise the arrivals would bound the tokens per
second, and the times would say how long a queue is that hardly forms. On a machine where the engine keeps up
with them (the line "arrivals" below is not much shorter than its time), take a smaller --gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from bench.arrivals import Arrival, poisson
from bench.command import Command, Run
from bench.engine import SPARE_TOKENS, new_engine
from bench.generate import generate, read_network
from bench.options import positive
from bench.result import Result, Table
from bench.rounds import alternate, percentile
from tasks.engine.generation import Generation
from tasks.model.loading import LoadedModel
from tests.fakes import make_request

NUM_SLOTS = 32
ALONE, STATIC = "generate(), one at a time", "generate(), static batches of 8"


@dataclass(frozen=True)
class Served:
    """One request; seconds since it arrived."""

    first_token: float
    last_token: float
    num_tokens: int


@dataclass(frozen=True)
class Serving:
    """All requests, served by one contender."""

    served: list[Served]
    makespan: float  #: From the first arrival to the last token.

    @property
    def rate(self) -> float:
        return sum(each.num_tokens for each in self.served) / self.makespan

    def first_token(self, percent: int) -> float:
        return percentile([each.first_token for each in self.served], percent)

    def latency(self, percent: int) -> float:
        return percentile([each.last_token for each in self.served], percent)


def serve_engine(model: LoadedModel, arrivals: Sequence[Arrival]) -> Serving:
    num_tokens = sum(len(each.prompt_ids) + each.new_tokens + SPARE_TOKENS for each in arrivals)
    engine = new_engine(model, NUM_SLOTS, num_tokens)
    waiting, generations = list(arrivals), list[Generation]()
    started = time.monotonic()
    while waiting or engine.has_work:
        while waiting and waiting[0].at <= time.monotonic() - started:
            each = waiting.pop(0)
            generations.append(
                engine.submit(make_request(prompt_ids=each.prompt_ids, max_new_tokens=each.new_tokens))
            )
        if engine.has_work:
            engine.step()
        else:
            time.sleep(max(0.0, started + waiting[0].at - time.monotonic()))
    makespan = time.monotonic() - started
    return Serving(
        [_served(each, started, generation) for each, generation in zip(arrivals, generations, strict=True)],
        makespan,
    )


def _served(arrival: Arrival, started: float, generation: Generation) -> Served:
    if generation.error is not None:
        raise generation.error
    assert generation.first_token_at is not None
    assert generation.finished_at is not None
    due = started + arrival.at
    return Served(generation.first_token_at - due, generation.finished_at - due, generation.num_tokens)


def serve_generate(network: Any, most: int, arrivals: Sequence[Arrival]) -> Serving:
    waiting, served = list(arrivals), list[Served]()
    started = time.monotonic()
    while waiting:
        now = time.monotonic() - started
        if waiting[0].at > now:
            time.sleep(waiting[0].at - now)
            continue
        batch = [each for each in waiting[:most] if each.at <= now]
        del waiting[: len(batch)]
        written = generate(network, [each.prompt_ids for each in batch], [each.new_tokens for each in batch])
        for each in batch:
            begun = now - each.at
            served.append(
                Served(
                    begun + written.seconds[0], begun + written.seconds[each.new_tokens - 1], each.new_tokens
                )
            )
    return Serving(served, time.monotonic() - started)


def rows(measured: dict[str, list[Serving]]) -> Iterator[list[str]]:
    for name, runs in measured.items():
        seconds: list[Callable[[Serving], float]] = [
            lambda run: run.makespan,
            lambda run: run.rate,
            lambda run: run.first_token(50),
            lambda run: run.first_token(95),
            lambda run: run.latency(50),
            lambda run: run.latency(95),
        ]
        yield [name, *(f"{median(map(figure, runs)):.3g}" for figure in seconds)]


def figures(measured: dict[str, list[Serving]]) -> Iterator[tuple[str, float]]:
    for name, runs in measured.items():
        rate, first = median(run.rate for run in runs), median(run.first_token(95) for run in runs)
        yield f"poisson.rate.{name}", rate
        if name not in (ALONE, STATIC):
            yield f"poisson.alone.{name}", rate / median(run.rate for run in measured[ALONE])
            yield f"poisson.static.{name}", rate / median(run.rate for run in measured[STATIC])
            yield f"poisson.ttft.{name}", median(run.first_token(95) for run in measured[ALONE]) / first


def bench(run: Run) -> Result:
    arrivals = poisson(run.options.requests, run.options.gap)
    print(f"arrivals: {len(arrivals)} in {arrivals[-1].at:.1f} s, ", end="")
    print(f"{sum(len(each.prompt_ids) for each in arrivals)} prompt tokens, ", end="")
    print(f"{sum(each.new_tokens for each in arrivals)} new ones", flush=True)
    network = read_network(run.folder)
    contenders: dict[str, Callable[[Sequence[Arrival]], Serving]] = {
        f"{precision}": partial(serve_engine, model) for precision, model in run.models().items()
    }
    contenders |= {STATIC: partial(serve_generate, network, 8), ALONE: partial(serve_generate, network, 1)}
    warm_up = [Arrival(0, each.prompt_ids, 2) for each in arrivals]
    alternate({name: partial(each, warm_up) for name, each in contenders.items()}, 1)
    turns = {name: partial(each, arrivals) for name, each in contenders.items()}
    measured = alternate(turns, run.rounds, say="poisson")
    table = Table(
        f"{len(arrivals)} requests that arrive within {arrivals[-1].at:.1f} s",
        ("", "seconds", "tokens/s", "first token p50, s", "p95, s", "last token p50, s", "p95, s"),
        list(rows(measured)),
    )
    return Result("poisson", "", [table], dict(figures(measured)))


def main() -> None:
    command = Command(__doc__, rounds=1)
    command.parser.add_argument("--requests", type=positive, default=32)
    command.parser.add_argument(
        "--gap", type=float, default=0.05, help="seconds between arrivals, on average"
    )
    with command.running() as run:
        run.finish(bench(run))


if __name__ == "__main__":
    main()
