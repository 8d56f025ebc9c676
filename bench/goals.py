"""What the engine must reach: ratios measured in one run on a quiet machine with 2 cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.result import Table


@dataclass(frozen=True)
class Goal:
    work: str
    against: str
    figure: str  #: Its name in the results.
    limit: float
    unit: str = "×"
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit

    def row(self, value: float | None) -> list[str]:
        limit = f"{'≤' if self.at_most else '≥'} {self.limit:g} {self.unit}"
        if value is None:
            return [self.work, self.against, limit, "not measured", ""]
        return [
            self.work,
            self.against,
            limit,
            f"{value:.3g} {self.unit}",
            "met" if self.met(value) else "**short**",
        ]


def _decoding() -> Iterator[Goal]:
    for case, context in (("16x64", 64), ("16x512", 512)):
        for precision, limit in (("float32", 2), ("float16", 3.5)):
            work = f"decode, 16 sequences, context {context}, {precision}"
            yield Goal(work, "generate(), static batch of 16", f"engine.decode.{case}.{precision}", limit)
    yield Goal("decode, one sequence, float16", "generate()", "engine.decode.1x64.float16", 3)


def _serving() -> Iterator[Goal]:
    prompts = "16 prompts of 64 tokens, 32 new, prefill included, float16"
    yield Goal(prompts, "generate(), static batch of 16", "engine.whole.16x64.float16", 2.4)
    # Both: on processors with matrix units the best one may compute in bf16.
    yield Goal(prompts, "OpenVINO GenAI, float32", "peers.whole.genai.float16", 1.25)
    yield Goal(prompts, "best correct peer of any precision", "peers.whole.best.float16", 1.25)
    for precision, alone, static in (("float32", 6, 4.5), ("float16", 11, 8)):
        work = f"32 Poisson arrivals, tokens per second, {precision}"
        yield Goal(work, "generate(), one at a time", f"poisson.alone.{precision}", alone)
        yield Goal(work, "generate(), static batches of 8", f"poisson.static.{precision}", static)
    for precision in ("float32", "float16"):
        work = f"32 Poisson arrivals, first token p95, {precision}"
        yield Goal(work, "generate(), one at a time", f"poisson.ttft.{precision}", 30)
    yield Goal(
        "32 requests of 50 tokens at once, float16", "replaced design", "peers.crowd.replaced.float16", 30
    )
    yield Goal("a lone request of 50 tokens, float16", "replaced design", "peers.lone.replaced.float16", 10)


def _bounds() -> Iterator[Goal]:
    yield Goal("decode, one sequence, float16", "reading the memory once", "roofline.1.float16", 75, "%")
    for batch in (16, 32):
        work = f"decode, {batch} sequences, float16"
        yield Goal(work, "float32 multiply-add peak", f"roofline.{batch}.float16", 55, "%")
    yield Goal("sampling, top-k and top-p, 16 rows", "transformers' warpers", "sampling.ratio", 10)
    yield Goal("the same", "the step, float16", "sampling.share.float16", 8, "%", at_most=True)
    yield Goal("scheduler and Python, 16 rows", "the step, float16", "overhead.float16", 5, "%", at_most=True)


def _stack() -> Iterator[Goal]:
    engine = "the same engine in process"
    yield Goal("whole stack over HTTP, 32 clients, tokens per second", engine, "http.share.32", 95, "%")
    for work, figure, limit in (
        ("added latency of a lone job, p50", "http.added.1.p50", 5),
        ("added latency, 32 clients, p50", "http.added.32.p50", 15),
        ("added latency, 32 clients, p99", "http.added.32.p99", 60),
    ):
        yield Goal(work, engine, figure, limit, "ms", at_most=True)
    work = "first token p50, 16 requests that share 512 tokens, float16"
    yield Goal(work, "without the prefix cache", "prefix.ttft.float16", 4)


GOALS = (*_decoding(), *_serving(), *_bounds(), *_stack())


def goal_table(figures: Mapping[str, float]) -> Table:
    columns = ("work", "against", "goal", "measured", "")
    return Table("Goals", columns, [goal.row(figures.get(goal.figure)) for goal in GOALS])
