"""Bodies that are no JSON object, or one that a lenient parser would repair."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

HELLO = b'{"text":"Hello"}'


def bodies() -> Iterator[tuple[str, bytes]]:
    yield from ILL_FORMED.items()
    for depth in (33, 900, 5_000, 50_000):
        yield f"lists {depth} deep", b'{"text":"a","metadata":{"a":' + b"[" * depth + b"]" * depth + b"}}"
        yield (
            f"objects {depth} deep",
            b'{"text":"a","metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",
        )
        yield f"{depth} opened, none closed", b"[" * depth
    for number in (
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"9" * 21,
        b"9" * 5_000,
        b"-" + b"9" * 100_000,
    ):
        yield f"a number {number[:12].decode()}", b'{"text":"a","temperature":' + number + b"}"
    for escape in (rb"\u0000", rb"\ud800", rb"\udfff", rb"\udc00\ud800", rb"a\ud83d", rb"\ud800\ud800"):
        yield f"a text {escape.decode()}", b'{"text":"' + escape + b'"}'
        yield f"a name {escape.decode()}", b'{"text":"a","' + escape + b'":1}'
        yield f"metadata {escape.decode()}", b'{"text":"a","metadata":{"' + escape + b'":"' + escape + b'"}}'
    for flood in (
        "\N{GRINNING FACE}",
        "\N{MAN}\N{ZERO WIDTH JOINER}",
        "a\N{COMBINING GRAVE ACCENT}" * 3,
        " ",
        "\n",
        "ab",
    ):
        text = flood * (150_000 // len(flood.encode()))
        yield f"a flood of {flood!a}", b'{"text":"' + text.replace("\n", "\\n").encode() + b'"}'
    yield "a million spaces", b'{"text":"' + b" " * 1_000_000 + b'"}'
    yield "one word of 8 MB", b'{"text":"' + b"a" * 8_000_000 + b'"}'
    yield "10 MB of prompt", b'{"text":"' + b"word " * 2_000_000 + b'"}'


ILL_FORMED = {
    "nothing": b"",
    "blanks": b" \r\n\t ",
    "null": b"null",
    "a list": b"[]",
    "a list of requests": b"[" + HELLO + b"]",
    "a string": b'"text"',
    "a number": b"1",
    "true": b"true",
    "an empty object": b"{}",
    "a name twice": b'{"text":"a","text":"b"}',
    "a name twice, escaped": rb'{"text":"a","\u0074ext":"b"}',
    "a name twice, deeper": b'{"text":"a","metadata":{"a":1,"a":2}}',
    "cut off": HELLO[:-1],
    "cut off in a string": b'{"text":"Hel',
    "cut off in an escape": rb'{"text":"\u00',
    "two documents": HELLO + HELLO,
    "JSON lines": HELLO + b"\n" + HELLO,
    "more behind it": HELLO + b"x",
    "a NUL behind it": HELLO + b"\0",
    "a comma too many": b'{"text":"a",}',
    "a colon too few": b'{"text" "a"}',
    "a comment": b'{"text":"a"/* b */}',
    "single quotes": b"{'text':'a'}",
    "no quotes": b"{text:'a'}",
    "an unknown escape": rb'{"text":"\x41"}',
    "a raw newline": b'{"text":"a\nb"}',
    "a raw NUL": b'{"text":"a\0b"}',
    "a leading zero": b'{"text":"a","seed":07}',
    "a plus": b'{"text":"a","seed":+7}',
    "a hexadecimal number": b'{"text":"a","seed":0x7}',
    "a number without an end": b'{"text":"a","temperature":1.}',
    "latin-1": '{"text":"é"}'.encode("latin-1"),
    "UTF-16": '{"text":"a"}'.encode("utf-16"),
    "UTF-32": '{"text":"a"}'.encode("utf-32"),
    "an overlong NUL": b'{"text":"\xc0\x80"}',
    "a surrogate in UTF-8": b'{"text":"\xed\xa0\x80"}',
    "beyond Unicode": b'{"text":"\xf7\xbf\xbf\xbf"}',
    "half a character": b'{"text":"\xf0\x9f"}',
    "bytes": bytes(range(256)),
    "a form": b"text=Hello&max_length=50",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "gzip": gzip.compress(HELLO, mtime=0),
    "YAML": b"text: !!python/object/apply:os.system ['true']",
}
