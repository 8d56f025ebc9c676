"""Requests of the HTTP contract, docs/api.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from neoserve.effects import Call


def new_key() -> str:
    """For one request, however often it is sent."""
    return uuid4().hex


class Named(Protocol):
    @property
    def id(self) -> str: ...


def id_of(named: Named | str) -> str:
    return named if isinstance(named, str) else named.id


def header_value(name: str, value: str) -> str:
    """Raises ValueError, without the value, which may be a secret, when no header can hold it."""
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{name}: only printable ASCII characters can be sent")
    return value


def with_query(path: str, **parameters: Any) -> str:
    """Without those that are None."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{path}?{query}" if query else path


def record(path: str, body: Mapping[str, Any] | None, key: str, **headers: str) -> Call:
    """A POST that records something, once however often it is sent."""
    content = None if body is None else json.dumps(body).encode()
    return record_bytes(path, content, "application/json", key, **headers)


def record_bytes(path: str, content: bytes | None, content_type: str, key: str, **headers: str) -> Call:
    sent = {"Idempotency-Key": header_value("idempotency_key", key), **headers}
    if content is not None:
        sent["Content-Type"] = content_type
    return Call(method="POST", path=path, headers=sent, content=content)


def get(path: str) -> Call:
    return Call(method="GET", path=path)


def next_page(family: str, link: str | None) -> str | None:
    """Only the link's query is taken: an answer does not say where our key is sent to."""
    return None if link is None else f"/{family}?{urlsplit(link).query}"


def path_to(family: str, id: str, rest: str = "") -> str:
    """`id` cannot leave its place in the address."""
    return f"/{family}/{quote(id, safe='')}{rest}"


def as_lines(objects: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in objects)
