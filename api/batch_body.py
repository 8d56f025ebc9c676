"""The body of POST /batches: one JSON object, or JSON lines that are parsed one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from api.batch_request import BatchOptions, parse_options, prefixed
from api.errors import (
    IncompleteBody,
    InvalidParameters,
    MalformedJson,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from api.json_body import check_size, parse_json, read_body, require_plain_text
from api.settings import ApiSettings

JSON_LINES = frozenset({"application/jsonl", "application/x-ndjson"})

#: JSON takes up to thirty times its size in memory, and nobody else is served while it is parsed.
MAX_JSON_BYTES = 4 * 2**20

#: A line from its first character on.
NOT_EMPTY = re.compile(rb"\S[^\n]*")

READ_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class RawItem:
    """`note` says where it was found; `value` is not checked yet, or why it could not be read."""

    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class BatchBody:
    options: BatchOptions
    items: Iterator[RawItem]


def read_batch(request: Request, settings: ApiSettings) -> BatchBody:
    """Raises UnsupportedMediaType, IncompleteBody, PayloadTooLarge, MalformedJson and InvalidParameters, the
    last two for items later than for the options."""
    if request.mimetype in JSON_LINES:
        require_plain_text(request)
        request.max_content_length = settings.max_batch_bytes + 1  # see check_size()
        return lines_of(read_upload(request), settings.max_body_bytes)
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(
            "A batch must be JSON or JSON lines: send it with Content-Type: application/json or "
            "application/jsonl."
        )
    require_plain_text(request)
    request.max_content_length = min(MAX_JSON_BYTES, settings.max_batch_bytes) + 1
    body = parse_json(read_body(request))
    if not isinstance(body, dict):
        raise MalformedJson("The body must be a JSON object.")
    items = body.pop("requests", None)
    if not isinstance(items, list):
        raise InvalidParameters.of("requests", "must be a list of objects")
    return BatchBody(parse_options(body), map(RawItem, items))


def read_upload(request: Request) -> bytearray:
    """The body, once in memory."""
    body = bytearray()
    try:
        while piece := request.stream.read(READ_BYTES):
            body += piece
    except (ClientDisconnected, OSError, ParseException):
        raise IncompleteBody() from None
    check_size(request, len(body))
    return body


def lines_of(body: bytearray, max_line_bytes: int) -> BatchBody:
    """The first line may be an object with nothing but `batch`, the options."""
    items = read_lines(body, max_line_bytes)
    first = next(items, None)
    if first is None:
        return BatchBody(BatchOptions(), iter(()))
    if isinstance(first.value, dict) and first.value.keys() == {"batch"}:
        options = first.value["batch"]
        if not isinstance(options, dict):
            raise InvalidParameters.of("batch", "must be an object")
        try:
            return BatchBody(parse_options(options), items)
        except InvalidParameters as error:
            raise InvalidParameters(prefixed("batch", error.errors, first.note)) from None
    return BatchBody(BatchOptions(), chained(first, items))


def chained(first: RawItem, rest: Iterator[RawItem]) -> Iterator[RawItem]:
    yield first
    yield from rest


def read_lines(body: bytearray, max_line_bytes: int) -> Iterator[RawItem]:
    """Empty lines are passed over."""
    counted_to, number = 0, 1
    for found in NOT_EMPTY.finditer(body):
        number += body.count(b"\n", counted_to, found.start())
        counted_to = found.start()
        size = found.end() - found.start()
        too_large = PayloadTooLarge(max_line_bytes, size) if size > max_line_bytes else None
        yield RawItem(too_large or parse_line(found[0]), f"line {number}: ")


def parse_line(line: bytes) -> Any:
    try:
        return parse_json(line)
    except MalformedJson as error:
        return error
