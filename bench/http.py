"""The whole stack over HTTP against the same engine in process: the tax of API, Redis and Celery.

    .venv/bin/python -m bench.http [--model FOLDER] [--clients 1,8,32] [--new-tokens 50,200] [--rounds 5]

Both sides hold the same model in the same form, with the same slots and threads, and get the same prompts:
greedy, a fixed number of new tokens, no end token. They take turns, so many clients at a time, each of which
sends one request after the other. In process a client encodes its prompt, submits it to the engine's thread
and waits for the end; over HTTP it is a connection of `POST /predict`. Ratio of the tokens per second: median
of the rounds'.

*Added latency* is what a request spends outside the engine: from its sending until its generation is given
to the engine (in), and from the generation's end until the answer has been read (out), by the worker's and
the clients' clocks, which are the machine's. A generation sweeps the processor's caches, and what runs after
it is several times slower than in a loop of its own; so a bare Celery task, the least that a queue of this
kind can add, is measured both ways: in a loop, and after a text of the engine each, as a lone job is.

Added latency holds the wait for a free worker thread where there are more
clients than slots, which in process is a wait inside the engine: so there are as many slots as clients.
Texts of one length end in the same step, so their clients come back together: the worst case for the API.

--model: a folder, `125m` for a random GPT-Neo-125M, or `scripted:0.015`, a test double whose step sleeps that
many seconds: the stack's own time, on a processor that has nothing else to do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median, quantiles

from bench.bare_celery import round_trips
from bench.http_clients import Answer
from bench.in_process import InProcess, Times, model_without_end
from bench.machine import describe_machine
from bench.options import one_of, positive, several
from bench.result import Result, Table
from bench.stack import ServedStack
from tasks.model.precision import Precision
from tasks.worker.served_model import load_model, use_threads
from tasks.worker.settings import WorkerSettings

PROMPT = "Once upon a time there was a little girl who lived near the sea, and every morning she"
#: At least so many requests in a round, of texts with
MIN_REQUESTS = 8
#: so many new tokens.
REFERENCE_TOKENS = 50
NUM_BARE_TASKS = 50
NUM_BARE_TASKS_AFTER_TEXT = 16


@dataclass(frozen=True)
class Row:
    """One number of clients. Latencies and processor times in milliseconds."""

    clients: int
    new_tokens: int
    requests: int  #: Of each side.
    http_tokens_per_s: float
    engine_tokens_per_s: float
    ratio: float
    http_p50: float
    engine_p50: float
    added_p50: float
    added_p99: float
    in_p50: float
    out_p50: float
    api_cpu: float  #: Of each request.
    server_cpu: float
    worker_cpu: float  #: With the engine's.
    engine_cpu: float  #: Of the engine in process.


@dataclass(frozen=True)
class Round:
    http: list[Answer]
    engine: list[Times]
    cpu_seconds: Counter[str]


def take_turns(served: ServedStack, engine: InProcess, texts: list[list[str]], new_tokens: int) -> Round:
    own = time.process_time()
    in_process = engine.predict(texts, new_tokens)
    cpu = Counter({"engine": time.process_time() - own})
    before = served.cpu_seconds()
    answers = served.predict(texts, new_tokens)
    cpu.update({name: after - before[name] for name, after in served.cpu_seconds().items()})
    return Round(answers, in_process, cpu)


def tokens_per_second(times: list[Times], new_tokens: int) -> float:
    return len(times) * new_tokens / (max(end for _, end in times) - min(start for start, _ in times))


def compare(
    served: ServedStack, engine: InProcess, clients: int, new_tokens: int, options: argparse.Namespace
) -> Row:
    # Longer texts: fewer of them.
    share = REFERENCE_TOKENS / max(new_tokens, REFERENCE_TOKENS)
    per_client = max(1, round(share * max(options.requests, MIN_REQUESTS // clients)))
    texts = [[f"{PROMPT} {client} {number}" for number in range(per_client)] for client in range(clients)]
    # One more, for caches, connections and threads.
    rounds = [take_turns(served, engine, texts, new_tokens) for _ in range(options.rounds + 1)][1:]
    jobs = [job for each in rounds for job, _, _ in each.http]
    return summarize(rounds, served.engine_times(jobs), clients, new_tokens)


def summarize(rounds: list[Round], trace: dict[str, list[float]], clients: int, new_tokens: int) -> Row:
    answers = [answer for each in rounds for answer in each.http]
    way_in = [1000 * (trace[job][0] - sent) for job, sent, _ in answers]
    way_out = [1000 * (received - trace[job][3]) for job, _, received in answers]
    added = quantiles(map(sum, zip(way_in, way_out, strict=True)), n=100, method="inclusive")
    http_rates = [
        tokens_per_second([(sent, received) for _, sent, received in each.http], new_tokens)
        for each in rounds
    ]
    engine_rates = [tokens_per_second(each.engine, new_tokens) for each in rounds]
    cpu = {
        name: 1000 * sum(each.cpu_seconds[name] for each in rounds) / len(answers)
        for name in rounds[0].cpu_seconds
    }
    return Row(
        clients=clients,
        new_tokens=new_tokens,
        requests=len(answers),
        http_tokens_per_s=median(http_rates),
        engine_tokens_per_s=median(engine_rates),
        ratio=median(http / alone for http, alone in zip(http_rates, engine_rates, strict=True)),
        http_p50=1000 * median(end - sent for _, sent, end in answers),
        engine_p50=1000 * median(end - sent for each in rounds for sent, end in each.engine),
        added_p50=added[49],
        added_p99=added[98],
        in_p50=median(way_in),
        out_p50=median(way_out),
        api_cpu=cpu["api"],
        server_cpu=cpu["server"],
        worker_cpu=cpu["worker"],
        engine_cpu=cpu["engine"],
    )


@dataclass(frozen=True)
class Report:
    precision: str
    slots: int
    bare_celery_p50: float  #: Milliseconds, in a loop.
    bare_celery_after_text_p50: float  #: And each after a text of the engine.
    rows: list[Row]


def bench(options: argparse.Namespace, work: Path) -> Report:
    clients, lengths = options.clients, options.new_tokens
    slots = options.slots or max(clients)
    environ = {
        "NEOSERVE_MODEL": model_without_end(options.model, work / "model"),
        "NEOSERVE_PRECISION": options.precision,
        "NEOSERVE_MAX_BATCH_SIZE": str(slots),
        "NEOSERVE_THREADS": str(options.threads),
    }
    model = load_model(WorkerSettings.from_env(environ))
    with ServedStack(work, environ).running() as served:
        engine = InProcess(model, slots)
        try:
            in_loop = round_trips(served.redis_url, NUM_BARE_TASKS)
            after_text = round_trips(
                served.redis_url, NUM_BARE_TASKS_AFTER_TEXT, lambda: engine.predict([[PROMPT]], lengths[0])
            )
            rows = [
                compare(served, engine, number, length, options) for length in lengths for number in clients
            ]
        finally:
            engine.stop()
    return Report(model.precision, slots, 1000 * median(in_loop), 1000 * median(after_text), rows)


def table(report: Report, options: argparse.Namespace) -> Table:
    return Table(
        f"The stack over HTTP against its engine in process: {options.model}, {report.precision}",
        [each.name.replace("_", " ") for each in fields(Row)],
        [[f"{value:.4g}" for value in asdict(row).values()] for row in report.rows],
        f"{report.slots} slots, {options.rounds} rounds. Latencies and processor times of a request in"
        " milliseconds; *in*: from sending to the engine, *out*: from the engine to the answer. A bare"
        f" Celery task: p50 {report.bare_celery_p50:.1f} ms in a loop,"
        f" {report.bare_celery_after_text_p50:.1f} ms after a text of the engine each.",
    )


def figures(report: Report) -> dict[str, float]:
    """As bench/goals.py names them."""
    named: dict[str, float] = {}
    shortest = min(row.new_tokens for row in report.rows)
    for row in (each for each in report.rows if each.new_tokens == shortest):
        named[f"http.share.{row.clients}"] = 100 * row.ratio
        named[f"http.added.{row.clients}.p50"] = row.added_p50
        named[f"http.added.{row.clients}.p99"] = row.added_p99
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description="The whole stack over HTTP against the engine in process.")
    parser.add_argument("--model", default="125m")
    parser.add_argument("--precision", type=one_of(Precision), default="auto")
    parser.add_argument("--clients", type=several(positive), default="1,8,32")
    parser.add_argument("--slots", type=int, default=0, help="0: as many as clients")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--requests", type=positive, default=4, help="of each client and round, at least")
    parser.add_argument("--new-tokens", type=several(positive), default="50,200")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    threads = use_threads(options.threads)
    machine = describe_machine("torch", "celery", "kombu", "redis", "flask", "gunicorn")
    print(f"{machine}\n{options.model}, threads of the model on both sides: {threads}")
    with tempfile.TemporaryDirectory() as folder:
        report = bench(options, Path(folder))
    result = Result(
        "http", f"{machine}\nthreads of torch: {threads}", (table(report, options),), figures(report)
    )
    result.publish(options.json)


if __name__ == "__main__":
    main()
