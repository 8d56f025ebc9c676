"""LitServe with batching, over HTTP: up to 16 requests that arrive within 50 ms are one batch of generate().
`FOLDER` is the peer; `FOLDER PORT` the server that it starts."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import litserve

from bench.generate import generate, read_network
from bench.peers.protocol import Answer, Prompts, serve
from bench.peers.servers import free_port, start

MAX_BATCH_SIZE = 16
START_SECONDS = 120


class TextApi(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:  # noqa: ARG002
        self.network = read_network(sys.argv[1])

    def predict(self, requests: list[dict[str, Any]]) -> list[list[int]]:
        wanted = [request["new_tokens"] for request in requests]
        return generate(self.network, [request["prompt"] for request in requests], wanted).tokens

    def encode_response(self, output: list[int]) -> dict[str, list[int]]:
        return {"tokens": output}


def run_server(port: int) -> None:
    api = TextApi(max_batch_size=MAX_BATCH_SIZE, batch_timeout=0.05)
    server = litserve.LitServer(api, accelerator="cpu", timeout=600)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")


def load() -> Answer:
    port = free_port()
    server = start(sys.executable, "-m", "bench.peers.litserve_batching", sys.argv[1], str(port))
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600)
    deadline = time.monotonic() + START_SECONDS
    while not healthy(client):
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit("LitServe did not start")
        time.sleep(0.2)
    pool = ThreadPoolExecutor(64)

    def ask(prompt: list[int], new_tokens: int) -> list[int]:
        answer = client.post("/predict", json={"prompt": prompt, "new_tokens": new_tokens}).raise_for_status()
        tokens: list[int] = answer.json()["tokens"]
        return tokens

    def answer(prompts: Prompts, new_tokens: int) -> list[list[int]]:
        return list(pool.map(ask, prompts, [new_tokens] * len(prompts)))

    return answer


def healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    if len(sys.argv) > 2:
        run_server(int(sys.argv[2]))
    else:
        serve(load)
