"""GPT-Neo-125M (random weights, GPT-2's tokenizer) through the whole path."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from tokenizers import Tokenizer
from transformers import GPTNeoForCausalLM

from tests.e2e.conftest import Up
from tests.models import build_random_model
from tests.reference import generate

NEW_TOKENS = 12
PROMPTS = ("Hello, world!", "Once upon a time there was", "In the far north — где снег — lives a bear. " * 12)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as models:  # Half a gigabyte: gone with the last test.
        yield build_random_model(Path(models) / "gpt-neo-125m-random", "125m")


@pytest.fixture(scope="module")
def model_options(folder: Path) -> tuple[str, ...]:
    return ("--model", str(folder))


@pytest.fixture(scope="module")
def model_environ() -> dict[str, str]:
    # By default weights are rounded to half precision, which changes the texts of noise.
    return {"NEOSERVE_PRECISION": "float32"}


def test_the_answers_are_those_of_generate_and_name_the_model(stack: Up, folder: Path) -> None:
    network = GPTNeoForCausalLM.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def predict(text: str) -> httpx.Response:
        body = {"text": text, "max_new_tokens": NEW_TOKENS, "do_sample": False}
        return httpx.post(f"{stack.url}/predict", params={"wait": 60}, json=body, timeout=90)

    with ThreadPoolExecutor(len(PROMPTS)) as pool:
        answers = list(pool.map(predict, PROMPTS))
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        assert answer.status_code == 200, answer.text
        expected = tokenizer.decode(generate(network, tokenizer.encode(prompt).ids, NEW_TOKENS))
        assert answer.json()["result"][0]["generated_text"] == prompt + expected
        assert answer.json()["model"] == "gpt-neo-125m-random"
