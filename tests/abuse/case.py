"""One abusive request, byte by byte, and what it may be answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: What nothing but a refusal may be.
REFUSED = frozenset(range(400, 500))

#: What is odd and yet allowed: done, or refused for its own reasons, but never a failure of the server.
ALLOWED = frozenset({200, 202, 204, 304}) | REFUSED


@dataclass(frozen=True)
class Case:
    """`data` is sent as it is; None among `answers` stands for a connection that is closed without a word."""

    name: str
    data: bytes
    answers: frozenset[int | None] = REFUSED


def request(method: str, path: str, *headers: str | bytes, body: bytes | None = None) -> bytes:
    """A request that is well formed as far as its parts are. With a body it gets its length."""
    lines = [f"{method} {path} HTTP/1.1".encode("latin-1"), b"Host: abuse"]
    lines += [each.encode("latin-1") if isinstance(each, str) else each for each in headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body or b""])


def post(path: str, body: bytes, content_type: str = "application/json", *headers: str | bytes) -> bytes:
    return request("POST", path, f"Content-Type: {content_type}", *headers, body=body)


def as_json(body: Any) -> bytes:
    """Also what is not JSON by the letter: NaN stays NaN."""
    return json.dumps(body).encode()


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:25]}… of {len(text)}"


def everywhere(paths: Iterable[str], bodies: Iterable[tuple[str, bytes]]) -> list[Case]:
    """Each body at each path."""
    bodies = list(bodies)
    return [Case(f"{path}: {name}", post(path, body)) for path in paths for name, body in bodies]
