"""The body of POST /batches: one JSON object, or JSON lines that are parsed one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Request

from api.batch_request import MAX_ITEMS, BatchOptions, parse_options, prefixed
from api.errors import (
    InvalidParameters,
    MalformedJson,
    UnsupportedMediaType,
)
from api.json_body import check_size, parse_json, read_body, receiving, require_plain_text
from api.settings import ApiSettings

JSON_LINES = frozenset({"application/jsonl", "application/x-ndjson"})

#: JSON takes up to thirty times its size in memory, and nobody else is served while it is parsed.
MAX_JSON_BYTES = 4 * 2**20

#: A line from its first character on.
NOT_EMPTY = re.compile(rb"\S[^\n]*")

#: The line of the options, whatever else is wrong with it.
OPTIONS_LINE = re.compile(rb'\s*(\xef\xbb\xbf)?\s*\{\s*"batch"\s*:')

READ_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class RawItem:
    """`note` says where it was found; `value` is not checked yet, or a MalformedJson instead of one."""

    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class BatchBody:
    options: BatchOptions
    items: Iterator[RawItem]


def read_batch(request: Request, settings: ApiSettings) -> BatchBody:
    """Raises UnsupportedMediaType, IncompleteBody, PayloadTooLarge (by check_size()), MalformedJson and
    InvalidParameters; items are checked by whoever takes them."""
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
    max_items = min(MAX_ITEMS, settings.max_batch_items)
    if len(items) > max_items:
        raise InvalidParameters.of("requests", f"must be at most {max_items} (given: {len(items)})")
    return BatchBody(parse_options(body), map(RawItem, items))


def read_upload(request: Request) -> bytearray:
    """The body, once in memory."""
    body = bytearray()
    with receiving():
        while piece := request.stream.read(READ_BYTES):
            body += piece
    check_size(request, len(body))
    return body


def lines_of(body: bytearray, max_line_bytes: int) -> BatchBody:
    """The first line may be an object with nothing but `batch`, the options."""
    items = read_lines(body, max_line_bytes)
    first = next(items, None)
    if first is None:
        return BatchBody(BatchOptions(), iter(()))
    if not OPTIONS_LINE.match(body):
        return BatchBody(BatchOptions(), chained(first, items))
    try:
        return BatchBody(options_of(first.value), items)
    except InvalidParameters as error:
        raise InvalidParameters(prefixed("batch", error.errors, first.note)) from None


def options_of(line: Any) -> BatchOptions:
    """Raises InvalidParameters."""
    if isinstance(line, MalformedJson):
        raise InvalidParameters.of("", line.detail)
    if line.keys() != {"batch"}:
        raise InvalidParameters.of("", "must be alone on its line: the items follow on lines of their own")
    if not isinstance(line["batch"], dict):
        raise InvalidParameters.of("", "must be an object")
    return parse_options(line["batch"])


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
        if size > max_line_bytes:
            value: Any = MalformedJson(f"this line has {size} bytes; the limit is {max_line_bytes} bytes.")
        else:
            value = parse_line(found[0])
        yield RawItem(value, f"line {number}: ")


def parse_line(line: bytes) -> Any:
    """Its value, or why it has none."""
    try:
        return parse_json(line)
    except MalformedJson as error:
        detail = error.detail.replace("The body", "this line").replace("line 1, ", "")
        if b"}{" in line:
            detail += " Newlines are missing: with curl use --data-binary, -d takes them out."
        return MalformedJson(detail)
