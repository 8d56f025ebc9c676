"""The clients of `bench.http`, in a process of their own so that they take no interpreter from anybody.

One JSON line on stdin asks for a round, one on stdout answers it: for every request the job's id, when it was
sent and when its answer had been read, in seconds of the machine's monotonic clock.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

Answer = tuple[str, float, float]
HEADERS = {"Content-Type": "application/json"}


def predict(connection: HTTPConnection, text: str, new_tokens: int) -> Answer:
    body = json.dumps({"text": text, "max_new_tokens": new_tokens, "do_sample": False})
    sent = time.monotonic()
    connection.request("POST", "/predict?wait=60", body, HEADERS)
    answer = connection.getresponse().read()
    received = time.monotonic()
    job = json.loads(answer)
    if job.get("usage", {}).get("completion_tokens") != new_tokens:
        sys.exit(f"expected {new_tokens} tokens: {answer.decode()}")
    return job["id"], sent, received


def client(address: str, texts: list[str], new_tokens: int) -> list[Answer]:
    """One request after the other on one connection."""
    connection = HTTPConnection(address)
    try:
        return [predict(connection, text, new_tokens) for text in texts]
    finally:
        connection.close()


def answer_rounds(lines: Iterator[str]) -> None:
    for line in lines:
        wanted: dict[str, Any] = json.loads(line)
        with ThreadPoolExecutor(len(wanted["texts"])) as pool:
            futures = [
                pool.submit(client, wanted["address"], texts, wanted["new_tokens"])
                for texts in wanted["texts"]
            ]
            answers = [answer for future in futures for answer in future.result()]
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    answer_rounds(sys.stdin)
