"""What a job remembers of the request that made it, to bring logs and traces of all processes together."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Version, trace, span, flags (W3C Trace Context).
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

#: What is passed on of the flags: that the trace is recorded, and that its id is random.
KNOWN_FLAGS = 3


@dataclass(frozen=True, slots=True)
class Origin:
    request_id: str = ""
    traceparent: str = ""  #: As parse_traceparent() returns it.

    @property
    def trace_id(self) -> str:
        """Empty where there is no trace."""
        return self.traceparent[3:35]


UNKNOWN_ORIGIN = Origin()


def parse_traceparent(header: str | None) -> str:
    """The header in the form of version 00; empty where it is malformed or missing."""
    match = TRACEPARENT.match(header or "")
    if match is None or not _may_follow(match.string[match.end() :], match.string[:2]):
        return ""
    trace_id, span_id, flags = match.groups()
    return f"00-{trace_id}-{span_id}-{int(flags, 16) & KNOWN_FLAGS:02x}"


def _may_follow(rest: str, version: str) -> bool:
    """Later versions may have more members."""
    return not rest or (rest.startswith("-") and version != "00")
