"""GPT-Neo-125M through the whole path, against transformers' generate() one request at a time.

    .venv/bin/python -m bench.full_size [--rounds 3] [--clients 8] [--new-tokens 50]

The weights are random (same cost as the trained ones, no download), the tokenizer is GPT-2's. `neoserve up`
serves the model as a user would start it; both sides get the same prompts and take turns. Prints the time to
the first prediction, the latency of a lone request and the tokens per second of concurrent ones.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import torch
from transformers import GPTNeoForCausalLM

from bench.machine import describe_machine
from tasks.model.loading import load
from tests.e2e.terminal import Terminal
from tests.models import build_random_model
from tests.reference import generate
from tests.services import free_port

PROMPT = "Once upon a time there was a little girl who lived near the sea, and every morning she"


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


class Served:
    """The service under load."""

    def __init__(self, url: str, new_tokens: int) -> None:
        self._client = httpx.Client(base_url=url, timeout=300, limits=httpx.Limits(max_connections=64))
        self._new_tokens = new_tokens

    def predict(self, number: int) -> None:
        body = {
            "text": f"{PROMPT} {number}",
            "max_new_tokens": self._new_tokens,
            "do_sample": False,
        }
        answer = self._client.post("/predict", json=body, params={"wait": 60}).raise_for_status().json()
        while answer["status"] in ("queued", "running"):
            answer = self._client.get(answer["urls"]["self"], params={"wait": 60}).raise_for_status().json()
        if answer["usage"]["completion_tokens"] != self._new_tokens:
            sys.exit(f"expected {self._new_tokens} tokens: {answer['usage']}")

    def predict_together(self, clients: int) -> None:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(self.predict, range(clients)))


def reference(folder: Path, new_tokens: int) -> Callable[[int], object]:
    model = load(str(folder), revision=None)
    network = GPTNeoForCausalLM.from_pretrained(folder)

    def predict(number: int) -> object:
        return generate(network, model.encode(f"{PROMPT} {number}"), new_tokens)

    return predict


def compare(served: Served, one_at_a_time: Callable[[int], object], options: argparse.Namespace) -> None:
    lone, lone_reference, together = [], [], []
    for number in range(options.rounds):
        lone.append(timed(partial(served.predict, number)))
        lone_reference.append(timed(partial(one_at_a_time, number)))
        together.append(timed(partial(served.predict_together, options.clients)))
    rate = options.clients * options.new_tokens / median(together)
    reference_rate = options.new_tokens / median(lone_reference)
    print(f"lone request, {options.new_tokens} new tokens: ours {median(lone):.2f} s, ", end="")
    print(f"generate() {median(lone_reference):.2f} s, ratio {median(lone_reference) / median(lone):.2f}")
    print(f"{options.clients} clients at once: ours {rate:.0f} tokens/s, ", end="")
    print(f"generate() one at a time {reference_rate:.0f} tokens/s, ratio {rate / reference_rate:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="GPT-Neo-125M through the whole path.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--new-tokens", type=int, default=50)
    options = parser.parse_args()
    print(describe_machine("torch", "transformers", "celery", "redis"))
    print(f"threads of the model on both sides: {torch.get_num_threads()}")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folder = build_random_model(work / "gpt-neo-125m-random", "125m")
        port = free_port()
        started = time.monotonic()
        up = Terminal(work, "up", "--port", port, "--data", work / "data", "--model", folder)
        try:
            up.wait_for("first prediction")
            print(f"neoserve up to the first prediction: {time.monotonic() - started:.1f} s")
            served = Served(f"http://127.0.0.1:{port}", options.new_tokens)
            compare(served, reference(folder, options.new_tokens), options)
        finally:
            up.process.terminate()
            up.process.wait(60)


if __name__ == "__main__":
    main()
