"""Lists page by page: how many entries, from where on, and where the next page is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response
from werkzeug.datastructures import MultiDict

from api.errors import InvalidParameters
from api.render import json_response
from api.request import given

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
PARAMETERS = ("limit", "cursor")
#: A sequence number; anything longer was made up.
SEQUENCE = re.compile(rb"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class WantedPage:
    limit: int = DEFAULT_LIMIT
    before: int | None = None

    def next_page(self, path: str, before: int, **filters: str) -> str:
        """The address of the page that comes after this one."""
        parameters = {**filters, "limit": str(self.limit), "cursor": write_cursor(before)}
        return f"{path}?{urlencode(parameters, safe=',')}"


def answer_page(name: str, entries: Sequence[Mapping[str, Any]], following: str | None) -> Response:
    response = json_response({name: entries, "next": following})
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def parse_page(query: MultiDict[str, str]) -> WantedPage:
    """`limit` and `cursor`. Raises InvalidParameters."""
    return WantedPage(
        limit=parse_limit(query.get("limit")),
        before=read_cursor(query["cursor"]) if "cursor" in query else None,
    )


def parse_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidParameters.of(
            "limit", f"must be a whole number from 1 to {MAX_LIMIT} (given: {given('limit', text)})"
        )
    return int(text)


def write_cursor(before: int) -> str:
    return base64.urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def read_cursor(text: str) -> int:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):  # The latter: characters beyond ASCII.
        decoded = b""
    if not SEQUENCE.fullmatch(decoded):
        raise InvalidParameters.of("cursor", "must be that of an answer's `next`")
    return int(decoded)
