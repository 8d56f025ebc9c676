"""Strict JSON: what a lenient parser would quietly repair is refused here."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from flask import Request, g
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from api.errors import (
    FieldError,
    IncompleteBody,
    InvalidParameters,
    MalformedJson,
    PayloadTooLarge,
    UnsupportedMediaType,
)

MAX_DEPTH = 32
#: Enough for every 64-bit integer; int() is quadratic in the number of digits.
MAX_INTEGER_DIGITS = 20

UNUSABLE_CHARACTER = re.compile("[\x00\ud800-\udfff]")


def read_json_object(request: Request) -> dict[str, Any]:
    """The request's body, a JSON object.

    Raises UnsupportedMediaType, IncompleteBody, MalformedJson (not a JSON object, NaN and infinite numbers,
    repeated names, nesting beyond 32), InvalidParameters (NUL or half a surrogate pair in a string),
    PayloadTooLarge or werkzeug's RequestEntityTooLarge.
    """
    require_json(request)
    body = parse_json(read_body(request))
    if not isinstance(body, dict):
        raise MalformedJson("The body must be a JSON object.")
    for name, value in body.items():
        check_value(name, value)
    return body


def require_json(request: Request) -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType()
    require_plain_text(request)


def require_plain_text(request: Request) -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("The body must be encoded in UTF-8.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("The body must not be compressed: send it without Content-Encoding.")


@contextmanager
def receiving() -> Iterator[None]:
    """How long the client takes for its body is not the server's time. Raises IncompleteBody."""
    started = time.monotonic()
    try:
        yield
    except (ClientDisconnected, OSError, ParseException):  # the last: chunks that are none
        raise IncompleteBody() from None
    finally:
        g.waited_seconds = g.get("waited_seconds", 0.0) + time.monotonic() - started


def read_body(request: Request) -> bytes:
    with receiving():
        body = request.get_data(cache=False)
    # gunicorn and werkzeug both take the end of the connection for the end of the body.
    check_size(request, len(body))
    return body


def check_size(request: Request, size: int) -> None:
    """Raises IncompleteBody or PayloadTooLarge for a body of which so much has come when it was over."""
    if size < (request.content_length or 0):
        raise IncompleteBody()
    # And werkzeug cuts a chunked body at its limit without a word; that limit is one byte above ours.
    if request.max_content_length is not None and size >= request.max_content_length:
        raise PayloadTooLarge(request.max_content_length - 1, request.content_length)


def parse_json(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=unique_names,
            parse_constant=refuse_constant,
            parse_float=finite_float,
            parse_int=bounded_int,
        )
    except UnicodeDecodeError:
        raise MalformedJson("The body is not encoded in UTF-8.") from None
    except RecursionError:
        raise too_deep() from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise MalformedJson("The body holds an object in which a name appears twice.")
    return names


def refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"The body is not valid JSON: {name} is not a JSON number.")


def finite_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJson("The body holds a number that is too large.")
    return number


def bounded_int(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise MalformedJson(f"The body holds an integer of more than {MAX_INTEGER_DIGITS} digits.")
    return int(digits)


def too_deep() -> MalformedJson:
    return MalformedJson(f"The body is nested more than {MAX_DEPTH} levels deep.")


def check_value(name: str, value: Any) -> None:
    """Walk `value`, the member `name` of the body, without recursion.

    NUL and lone surrogates are legal JSON, but the first cuts text short in C and the second has no UTF-8.
    """
    pending: list[tuple[int, Any]] = [(1, name), (1, value)]
    while pending:
        depth, item = pending.pop()
        if isinstance(item, str):
            if UNUSABLE_CHARACTER.search(item):
                raise unusable_character(name)
            continue
        if not isinstance(item, dict | list):
            continue
        if depth >= MAX_DEPTH:
            raise too_deep()
        children = [*item.keys(), *item.values()] if isinstance(item, dict) else item
        pending.extend((depth + 1, child) for child in children)


def unusable_character(name: str) -> InvalidParameters:
    field = UNUSABLE_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", name)[:64]
    return InvalidParameters(
        [FieldError(field, "must not hold the character U+0000 or one half of a surrogate pair")]
    )
