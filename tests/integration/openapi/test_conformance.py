"""The served document against the served API: requests that nobody would think of, and what they do to it."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, jsonify
from werkzeug.serving import make_server

from api.key_entry import new_key
from tests.conformance import Figures, Fuzzer
from tests.integration.openapi.stack import Stack

StartStack = Callable[..., Stack]
Fuzz = Callable[..., Figures]

#: What thousands of requests may leave in a process, in MiB: records of open jobs, buffers, caches.
MEMORY_MIB = 60

#: For webhooks, which lead nowhere.
SECRET = {"NEOSERVE_WEBHOOK_SECRET": "whsec_" + "A" * 32}


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StartStack]:
    stacks: list[Stack] = []

    def start(**settings: str) -> Stack:
        stacks.append(Stack(tmp_path, **SECRET, **settings))
        return stacks[-1]

    yield start
    for stack in stacks:
        stack.stop()


@pytest.fixture
def fuzz(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> Fuzz:
    terminal = pytestconfig.get_terminal_writer()

    def run(stack: Stack, num_cases: int, key: str = "") -> Figures:
        figures, memory = attack(stack, num_cases, key)
        with capsys.disabled():
            terminal.line(f" {figures}; {memory}")
        return figures

    return run


def attack(stack: Stack, num_cases: int, key: str) -> tuple[Figures, str]:
    """The figures, with the seed that makes the same requests again."""
    # As Hypothesis does it: other requests at every run, but where CI is set the same ones, so that a change
    # is refused for what it did.
    seed = 1 if os.environ.get("CI") else random.SystemRandom().randrange(2**31)
    fuzzer = Fuzzer(stack.url, stack.document(), seed=seed, key=key)
    before = stack.memory_mib()
    figures = fuzzer.run(num_cases)
    fuzzer.try_wrong_methods()
    after = stack.memory_mib()
    assert figures.failures == [], f"{figures}\n" + "\n".join(figures.failures[:10])
    assert figures.answers["5xx"] == 0, figures
    assert after - before < MEMORY_MIB
    stack.assert_unharmed()
    return figures, f"0 restarts, the API had {before} MiB and has {after} MiB"


def test_500_requests_are_answered_as_documented(start_stack: StartStack, fuzz: Fuzz) -> None:
    figures = fuzz(start_stack(), 500)
    assert figures.num_cases >= 500
    assert figures.answers["2xx"] > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_10_000_requests_with_a_key_are_answered_as_documented(start_stack: StartStack, fuzz: Fuzz) -> None:
    key, entry = new_key("fuzzer")
    figures = fuzz(start_stack(NEOSERVE_API_KEYS=entry.line().rpartition(" ")[0]), 10_000, key)
    assert figures.num_cases >= 10_000
    assert figures.answers["2xx"] > 2_000


def test_requests_without_the_key_are_answered_as_documented(start_stack: StartStack, fuzz: Fuzz) -> None:
    _, entry = new_key("somebody")
    figures = fuzz(start_stack(NEOSERVE_API_KEYS=entry.line().rpartition(" ")[0]), 100)
    assert figures.answers["4xx"] > figures.answers["2xx"]


DIGIT = {"type": "integer", "maximum": 9}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Wrong", "version": "1"},
    "paths": {
        "/breaks": {"get": {"responses": {"200": {"description": "Never."}}}},
        "/lies": {
            "get": {
                "responses": {
                    "200": {
                        "description": "A number, it says.",
                        "content": {
                            "application/json": {
                                "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}
                            }
                        },
                    }
                }
            }
        },
        "/lax": {
            "get": {
                "parameters": [
                    {
                        "name": "n",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "integer", "maximum": 9},
                    }
                ],
                "responses": {"200": {"description": "Whatever n is."}},
            }
        },
    },
}


@pytest.fixture
def wrong_url() -> Iterator[str]:
    """An app that is not as its document says."""
    app = Flask("wrong", static_folder=None)

    def breaks() -> Any:
        return "", 500

    app.add_url_rule("/breaks", view_func=breaks)
    app.add_url_rule("/lies", "lies", lambda: jsonify(n="one"))
    app.add_url_rule("/lax", "lax", lambda: "", methods=["GET", "DELETE"])
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_harness_finds_an_app_that_is_not_as_its_document_says(wrong_url: str) -> None:
    fuzzer = Fuzzer(wrong_url, DOCUMENT, seed=1)
    found = "\n".join(fuzzer.run(40).failures)
    assert "Server error" in found
    assert "Response violates schema" in found
    assert "Schema-violating request accepted" in found

    fuzzer.try_wrong_methods()
    assert any(each.startswith("DELETE /lax: 200") for each in fuzzer.figures.failures)
