"""Lines out of pieces of a body, and server-sent events out of lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from neoserve.decode import reading


class Lines:
    """Splits at line feeds alone: a JSON text may hold what else Unicode counts as the end of a line."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, piece: bytes) -> Iterator[bytes]:
        """The lines that are complete now, without their ends."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        return (line.removesuffix(b"\r") for line in whole)


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as it was sent."""

    name: str
    id: str | None
    data: Any


class EventParser:
    """As the HTML standard has it; `retry` comes as an event of that name with milliseconds for data."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._fields: dict[str, str] = {}

    def take(self, piece: bytes) -> list[Sent]:
        with reading():
            return [sent for line in self._lines.take(piece) if (sent := self._take_line(line.decode()))]

    def _take_line(self, line: str) -> Sent | None:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            known = self._fields.get(name)
            self._fields[name] = value if known is None or name != "data" else f"{known}\n{value}"
            return None
        fields, self._fields = self._fields, {}
        if "data" in fields:
            return Sent(fields.get("event", "message"), fields.get("id"), json.loads(fields["data"]))
        return Sent("retry", None, int(fields["retry"])) if "retry" in fields else None
