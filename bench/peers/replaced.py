"""The design that NeoServe replaces: a fresh Python process for each request, which imports, loads and
generates. `FOLDER`: one after the other; `FOLDER N`: N at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from bench.peers.protocol import Answer, Prompts, serve

SCRIPT = """
import json, sys
from bench.generate import generate, read_network
folder, question = sys.argv[1], json.loads(sys.argv[2])
print(json.dumps(generate(read_network(folder), [question["prompt"]], question["new_tokens"]).tokens[0]))
"""


def predict(prompt: list[int], new_tokens: int) -> list[int]:
    question = json.dumps({"prompt": prompt, "new_tokens": new_tokens})
    command = [sys.executable, "-c", SCRIPT, sys.argv[1], question]
    ids: list[int] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return ids


def load() -> Answer:
    pool = ThreadPoolExecutor(int(sys.argv[2]) if len(sys.argv) > 2 else 1)

    def answer(prompts: Prompts, new_tokens: int) -> list[list[int]]:
        return list(pool.map(lambda prompt: predict(prompt, new_tokens), prompts))

    return answer


if __name__ == "__main__":
    serve(load)
