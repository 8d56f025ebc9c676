"""When the events of a job reach its client: accepted, first token, last token, end.

    .venv/bin/python -m bench.stream [--model FOLDER] [--clients 1,8,32] [--readers 0,200] [--new-tokens 100]

So many clients at a time, each of which sends `POST /predict` with `Accept: text/event-stream` and reads its
stream to the end, on one connection, one job after the other. Beside them so many *readers* follow one more
job by `GET /jobs/<id>/events`. Milliseconds since the request was sent, by the clients' clock: *accepted* is
the head of the answer, with the job's id; *first token* and *last token* are the events that carry them.
*Behind* is how much later than Redis had it a token reached its client, by the event's id, which is the time
of the machine that all of them share.

--model: a folder, `125m` for a random GPT-Neo-125M, or `scripted:0.015`, a test double whose step sleeps that
many seconds: the stream's own time, on a processor that has nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median, quantiles
from threading import Thread

from bench.in_process import model_without_end
from bench.machine import describe_machine
from bench.options import positive, several, whole
from bench.result import Result, Table
from bench.stack import ServedStack
from tasks.jobs.connection import connect

PROMPT = "Once upon a time there was a little girl who lived near the sea, and every morning she"
HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}
WARM_UP_JOBS = 2


@dataclass
class Times:
    """Of one streamed job, in seconds of the monotonic clock."""

    sent: float
    accepted: float = 0.0
    done: float = 0.0
    tokens: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)  #: Seconds from Redis to the client.


@dataclass(frozen=True)
class Row:
    """Medians of all jobs, in milliseconds where nothing else is said."""

    clients: int
    readers: int
    jobs: int
    accepted: float
    first_token: float
    first_token_p99: float
    last_token: float
    end: float
    behind: float
    behind_p99: float
    events_per_s: float  #: To all clients and readers.
    api_cpu_percent: float
    redis_connections: int  #: Of all processes, while all read.


def read_events(answer: HTTPResponse, times: Times) -> int:
    """How many there were."""
    name, number, event_ms = b"", 0, 0
    for line in answer:
        if line.startswith(b"event: "):
            name, number = line[7:-1], number + 1
        elif line.startswith(b"id: "):
            event_ms = int(line[4:].split(b"-")[0])
        elif line.startswith(b"data: ") and name == b"token":
            times.tokens.append(time.monotonic())
            times.behind.append(time.time() - event_ms / 1000)
        elif line.startswith(b"data: ") and name == b"done":
            times.done = time.monotonic()
    return number


def stream_job(connection: HTTPConnection, text: str, new_tokens: int) -> tuple[Times, int]:
    body = json.dumps({"text": text, "max_new_tokens": new_tokens, "do_sample": False})
    times = Times(time.monotonic())
    connection.request("POST", "/predict", body, HEADERS)
    answer = connection.getresponse()
    times.accepted = time.monotonic()
    return times, read_events(answer, times)


def client(address: str, number: int, jobs: int, new_tokens: int) -> list[tuple[Times, int]]:
    connection = HTTPConnection(address)
    try:
        return [stream_job(connection, f"{PROMPT} {number} {each}", new_tokens) for each in range(jobs)]
    finally:
        connection.close()


@contextmanager
def readers(address: str, number: int, new_tokens: int) -> Iterator[Counter[str]]:
    """They follow one job until it is canceled; how many events they got, at the end."""
    events: Counter[str] = Counter()
    if not number:
        yield events
        return
    connection = HTTPConnection(address)
    connection.request("POST", "/jobs", json.dumps({"text": PROMPT, "max_new_tokens": new_tokens}), HEADERS)
    job_id = json.loads(connection.getresponse().read())["id"]

    def read() -> int:
        own = HTTPConnection(address)
        own.request("GET", f"/jobs/{job_id}/events")
        count = read_events(own.getresponse(), Times(time.monotonic()))
        own.close()
        return count

    with ThreadPoolExecutor(number) as pool:
        reading = [pool.submit(read) for _ in range(number)]
        yield events
        connection.request("DELETE", f"/jobs/{job_id}")
        connection.getresponse().read()
        events["read"] = sum(each.result() for each in reading)
    connection.close()


def measure(served: ServedStack, clients: int, num_readers: int, options: argparse.Namespace) -> Row:
    address, new_tokens = served.address, options.new_tokens
    client(address, 0, WARM_UP_JOBS, new_tokens)
    connections: list[int] = []

    def count_connections() -> None:
        time.sleep(0.5)
        with connect(served.redis_url, max_connections=1) as redis:
            connections.append(len(redis.client_list()) - 1)

    # Longer than all others together: as many tokens as the model has places for.
    with readers(address, num_readers, options.reader_tokens) as read:
        cpu, began = served.cpu_seconds()["api"], time.monotonic()
        counting = Thread(target=count_connections)
        counting.start()
        with ThreadPoolExecutor(clients) as pool:
            each = [pool.submit(client, address, at, options.jobs, new_tokens) for at in range(clients)]
            streamed = [one for future in each for one in future.result()]
        seconds = time.monotonic() - began
        cpu = served.cpu_seconds()["api"] - cpu
        counting.join()
    times = [one for one, _ in streamed]
    first = [1000 * (one.tokens[0] - one.sent) for one in times]
    behind = [1000 * late for one in times for late in one.behind]
    return Row(
        clients=clients,
        readers=num_readers,
        jobs=len(times),
        accepted=1000 * median(one.accepted - one.sent for one in times),
        first_token=median(first),
        first_token_p99=quantiles(first, n=100, method="inclusive")[98],
        last_token=1000 * median(one.tokens[-1] - one.sent for one in times),
        end=1000 * median(one.done - one.sent for one in times),
        behind=median(behind),
        behind_p99=quantiles(behind, n=100, method="inclusive")[98],
        events_per_s=(sum(count for _, count in streamed) + read["read"]) / seconds,
        api_cpu_percent=100 * cpu / seconds,
        redis_connections=connections[0],
    )


def bench(options: argparse.Namespace, work: Path) -> Table:
    environ = {
        "NEOSERVE_MODEL": model_without_end(options.model, work / "model"),
        "NEOSERVE_MAX_BATCH_SIZE": str(max(options.clients) + 1),
    }
    with ServedStack(work, environ).running() as served:
        rows = [
            measure(served, clients, number, options)
            for number in options.readers
            for clients in options.clients
        ]
    return Table(
        f"Streams over HTTP: {options.model}, {options.new_tokens} new tokens",
        [each.name.replace("_", " ") for each in fields(Row)],
        [[f"{value:.4g}" for value in asdict(row).values()] for row in rows],
        "Milliseconds, medians where nothing else is said, since the request was sent; *behind*: a token's"
        " way from Redis to its client. The clients run beside the stack on the same processor.",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="When the events of a job reach its client.")
    parser.add_argument("--model", default="scripted:0.015")
    parser.add_argument("--clients", type=several(positive), default="1,8,32")
    parser.add_argument("--readers", type=several(whole), default="0,200")
    parser.add_argument("--jobs", type=positive, default=3, help="of each client")
    parser.add_argument("--new-tokens", type=positive, default=100)
    parser.add_argument("--reader-tokens", type=positive, default=1500, help="of the job that readers follow")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = describe_machine("redis", "flask", "gunicorn")
    print(machine)
    with tempfile.TemporaryDirectory() as folder:
        result = Result("stream", machine, (bench(options, Path(folder)),))
    result.publish(options.json)


if __name__ == "__main__":
    main()
