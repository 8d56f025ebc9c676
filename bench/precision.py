"""What each form of the weights costs in quality, and how much memory it takes.

    .venv/bin/python -m bench.precision [--model FOLDER] [--text FILE]

Compared with float32 on texts that are forced through both, all together: Kullback-Leibler divergence, share
of places with the same likeliest token, loss of the texts themselves. Without --model: the shipped model on
its held-out stories, then a random GPT-Neo-125M on the same texts. Memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.machine import describe_machine
from tasks.model.loading import SHIPPED_MODEL, load
from tasks.model.precision import Precision
from tests.memory import held_bytes
from tests.models import build_random_model
from tests.quality import distance, forced_log_probabilities

#: Tokens of the texts: on both sides of the local layers' window of 256.
LENGTHS = (150, 200, 300, 400, 500, 700, 1000, 1500)
NUM_FORCED = 100


def held_megabytes(folder: Path, precision: Precision) -> str:
    return f"{held_bytes(folder, precision) / 1e6:.0f}" if Path("/proc/self/statm").exists() else "?"


def rows(folder: Path, text: str) -> Iterator[str]:
    exact = load(str(folder))
    ids = exact.encode(text)
    texts = [ids[1000 * place :][:length] for place, length in enumerate(LENGTHS)]
    expected = forced_log_probabilities(exact.weights, texts, NUM_FORCED)
    for precision in list(Precision)[1:]:
        model = load(str(folder), precision=precision)
        if model.weights.precision is not precision:
            yield f"| {precision} | not on this processor |"
            continue
        measured = distance(forced_log_probabilities(model.weights, texts, NUM_FORCED), expected, texts)
        yield (
            f"| {precision} | {measured.divergence:.1e} | {measured.largest_divergence:.1e}"
            f" | {100 * measured.agreement:.1f} %"
            f" | {measured.loss:+.4f} | {held_megabytes(folder, precision)} |"
        )


def report(folder: Path, name: str, text: str) -> None:
    lengths = f"{len(LENGTHS)} texts of {LENGTHS[0]} to {LENGTHS[-1]} tokens"
    print(f"\n{name}: {lengths}, {NUM_FORCED} places in each\n")
    print("| weights | divergence, mean | largest | same likeliest token | loss, nats | memory, MB |")
    print("|---|---|---|---|---|---|")
    for row in rows(folder, text):
        print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Quality and memory of each form of the weights.")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--text", type=Path, default=Path(SHIPPED_MODEL) / "held_out.txt")
    options = parser.parse_args()
    print(describe_machine("torch", "transformers"))
    text = options.text.read_text(encoding="utf-8")
    if options.model:
        report(options.model, options.model.name, text)
        return
    report(Path(SHIPPED_MODEL), "The shipped model", text)
    with tempfile.TemporaryDirectory() as folder:
        report(build_random_model(folder, "125m"), "A random GPT-Neo-125M", text)


if __name__ == "__main__":
    main()
