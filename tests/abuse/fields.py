"""Values that no field takes, for every field of a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.abuse.case import as_json, short

INTEGER: tuple[Any, ...] = (True, "7", [7], {"a": 7}, 1.5, -1, 10**19, 1e30)
NUMBER: tuple[Any, ...] = (True, "0.5", [0.5], {"a": 1}, -1, 0, 1e300)
FLAG: tuple[Any, ...] = (1, 0, "true", [], {}, 1.5)
WORD: tuple[Any, ...] = (1, True, [], {}, "", 1.5)

URLS = (
    "ftp://example.com/a",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//example.com/a",
    "https://",
    "https:///a",
    "https://a b/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://user:password@example.com/",
    "https://example.com/\r\nX-Injected: 1",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://localhost/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://169.254.169.254/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00::1]/",
    "https://224.0.0.1/",
    "https://example.com/" + "a" * 3000,
)

WRONG: dict[str, tuple[Any, ...]] = {
    "text": (
        None,
        1,
        True,
        [],
        {},
        "",
        ["a"],
        "a\0b",
        "\ud800",
        "\udfff\ud800",
        "word " * 5000,
        "x" * 200_000,
    ),
    "max_length": (*INTEGER, 0, 1, 10**9),
    "max_new_tokens": (*INTEGER, 0, 10**9),
    "do_sample": FLAG,
    "temperature": (*NUMBER, 1e-9, 101),
    "top_k": (*INTEGER, 1_000_001),
    "top_p": (*NUMBER, 1.0001, 2),
    "repetition_penalty": (*NUMBER, 0.001, 101),
    "stop": (1, True, {}, "", [""], [1], [["a"]], ["a"] * 17, ["a" * 257], ["a"] * 10_000, "a\0"),
    "seed": (*INTEGER, 2**63),
    "num_return_sequences": (*INTEGER, 0, 9, 1000),
    "return_full_text": FLAG,
    "model": (*WORD, "x" * 257, "no-such-model", "../../etc/passwd", "stories\0", "*"),
    "priority": (*WORD, "urgent", "HIGH", "high ", None),
    "deadline_s": (*NUMBER, 7 * 24 * 3600 + 1),
    "ttl_s": (*INTEGER, 0, 7 * 24 * 3600 + 1),
    "cancel_on_disconnect": FLAG,
    "metadata": ([], "a", 1, True, {"a": "b" * 2048}, {"a": "\0"}, {"\ud800": 1}, None),
    "webhook": (1, True, [], {}, "", "a", *URLS),
    "webhook_events": (1, True, {}, "ended", ["ended"], [], [1], ["completed"] * 3),
}

UNKNOWN = (
    "prompt",
    "inputs",
    "max_tokens",
    "__proto__",
    "constructor",
    "Text",
    "text ",
    "",
    "a" * 10_000,
    "a\0",
)


def bodies() -> Iterator[tuple[str, bytes]]:
    for field, values in WRONG.items():
        for value in values:
            yield f"{field}={short(value)}", as_json({"text": "Hello", field: value})
    for name in UNKNOWN:
        yield f"with a field {short(name)}", as_json({"text": "Hello", name: 1})
    yield "two lengths", as_json({"text": "Hello", "max_length": 50, "max_new_tokens": 5})
    yield "no text", as_json({"max_length": 50})
    yield "events without a webhook", as_json({"text": "Hello", "webhook_events": ["completed"]})
    yield (
        "20,000 fields",
        as_json({"text": "Hello", **{f"field{number}": number for number in range(20_000)}}),
    )
