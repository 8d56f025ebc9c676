"""Server-sent events, as bytes: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Request

EVENT_STREAM = "text/event-stream"

#: Says nothing, but keeps proxies from taking a silent stream for a dead one.
COMMENT = b":\n\n"
#: How long a reader whose stream has ended before its job waits until it comes back, in milliseconds.
RETRY = b"retry: 1000\n\n"


def event(name: str, data: Mapping[str, Any], event_id: str | None = None) -> bytes:
    """Without an id it does not move the place from which a reader resumes."""
    # In ASCII: many clients split lines at every character that Unicode calls a line's end.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    head = f"event: {name}\n" if event_id is None else f"event: {name}\nid: {event_id}\n"
    return f"{head}data: {text}\n\n".encode("ascii")


def wants_events(request: Request) -> bool:
    """Who takes JSON as gladly gets JSON."""
    return request.accept_mimetypes.best_match(("application/json", EVENT_STREAM)) == EVENT_STREAM
