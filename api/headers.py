"""Headers of requests: each has one type, which checks it and describes it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from api.errors import InvalidHeader
from tasks.jobs.events import ID_PATTERN


class RequestHeader:
    """Either a text of its type, or not there."""

    def __init__(self, name: str, kind: Any, rule: str) -> None:
        """`rule` says which texts fit."""
        self.name = name
        self.adapter: TypeAdapter[str] = TypeAdapter(kind)
        self._rule = rule

    def parse(self, text: str | None) -> str | None:
        """Raises InvalidHeader."""
        if text is None:
            return None
        try:
            return self.adapter.validate_python(text)
        except ValidationError:
            raise InvalidHeader(f"{self.name} {self._rule}.") from None


IDEMPOTENCY_KEY = RequestHeader(
    "Idempotency-Key",
    Annotated[
        str,
        Field(
            pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$",
            description="Your word for this request: sent again with the same word, it makes nothing new.",
            examples=["owl-1"],
        ),
    ],
    "must be 1 to 255 printable ASCII characters",
)

LAST_EVENT_ID = RequestHeader(
    "Last-Event-ID",
    Annotated[
        str,
        Field(
            pattern=rf"^({ID_PATTERN})?$",
            description="The last `id` that was read: the stream goes on behind it.",
            examples=["1795404965031-0"],
        ),
    ],
    "must be the id of an event of this stream",
)
