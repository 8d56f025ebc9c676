"""Values that no field of a completion takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.abuse.case import as_json, short
from tests.abuse.fields import FLAG, INTEGER, NUMBER, WORD

WRONG: dict[str, tuple[Any, ...]] = {
    "model": (None, *WORD, "x" * 257, "no-such-model", "../../etc/passwd"),
    "prompt": (
        None,
        1,
        True,
        {},
        "",
        [],
        [1, 2],
        [[1]],
        [""],
        ["a", 1],
        ["a"] * 65,
        "a\0",
        "\ud800",
        "a " * 90_000,
    ),
    "max_tokens": (*INTEGER, 0),
    "temperature": (*(each for each in NUMBER if each != 0), 2.1),
    "top_p": (*NUMBER, 1.1),
    "n": (*INTEGER, 0, 9),
    "stop": (1, True, {}, "", [""], [1], ["a"] * 5, ["a" * 257]),
    "seed": (*INTEGER, 2**63),
    "echo": FLAG,
    "stream": FLAG,
    "stream_options": (1, [], "a", {"include_usage": 1}, {"unknown": True}, {"include_usage": True}),
    "user": (1, True, [], {}, "a" * 257),
    "logprobs": (0, 1, 5, True, "1"),
    "best_of": (2, 0, -1, "1"),
    "suffix": ("a", 1, []),
    "logit_bias": ({"50256": -100}, 1, []),
    "presence_penalty": (0.1, -2, "0", []),
    "frequency_penalty": (0.1, -2, "0", []),
    "messages": ([{"role": "user", "content": "Hello"}],),
    "max_new_tokens": (5,),
    "webhook": ("http://127.0.0.1/",),
}


def bodies() -> Iterator[tuple[str, bytes]]:
    for field, values in WRONG.items():
        for value in values:
            yield (
                f"{field}={short(value)}",
                as_json(
                    {
                        "model": "scripted-test-double-not-a-model",
                        "prompt": "Hello",
                        "max_tokens": 1,
                        field: value,
                    }
                ),
            )
    yield "a list as a stream", as_json({"model": "a", "prompt": ["a", "b"], "stream": True})
    yield "several of the likeliest", as_json({"model": "a", "prompt": "a", "n": 2, "temperature": 0})
