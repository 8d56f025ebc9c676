"""Lists page by page: how many entries, from where on, and where the next page is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from flask import Response
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.query import Query
from api.render import json_response

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
#: A sequence number; anything longer was made up.
SEQUENCE = re.compile(rb"[0-9]{1,16}")


def check_limit(text: Any) -> int:
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise PydanticCustomError("limit", "must be a whole number from 1 to {limit}", {"limit": MAX_LIMIT})


def write_cursor(before: int) -> str:
    return base64.urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def read_cursor(text: Any) -> int:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, TypeError, ValueError):  # The last: characters beyond ASCII.
        decoded = b""
    if not SEQUENCE.fullmatch(decoded):
        raise PydanticCustomError("cursor", "must be that of an answer's `next`")
    return int(decoded)


class PageQuery(Query):
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(check_limit)] = DEFAULT_LIMIT
    """How many there are on a page, at most."""
    cursor: (
        Annotated[
            int,
            BeforeValidator(
                read_cursor, json_schema_input_type=Annotated[str, Field(pattern=r"^[\w-]{2,22}$")]
            ),
        ]
        | None
    ) = None
    """Where the page begins: that of the `next` of the page before."""

    def next_page(self, path: str, before: int, **filters: str) -> str:
        """The address of the page that comes after this one."""
        parameters = {**filters, "limit": str(self.limit), "cursor": write_cursor(before)}
        return f"{path}?{urlencode(parameters, safe=',')}"


def answer_page(name: str, entries: Sequence[Mapping[str, Any]], following: str | None) -> Response:
    response = json_response({name: entries, "next": following})
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
