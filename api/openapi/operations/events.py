"""The route of events."""

from __future__ import annotations

from collections.abc import Mapping

from api.openapi.operation import Answer, Operation
from api.openapi.operations.common import JOB
from api.openapi.operations.jobs import STREAM

EVENTS: Mapping[tuple[str, str], Operation] = {
    ("events.show_events", "GET"): Operation(
        id="streamEvents",
        tag="Events",
        summary="Read along",
        description="What has happened and what happens from here on, for any job and as often as you like. "
        "`text`s of one `index`, joined since the last `started`, are exactly the continuation.",
        headers=("Last-Event-ID",),
        answers=(
            Answer(200, "The stream.", (STREAM,), ("Cache-Control",)),
            Answer(204, "The reader has had the end.", (), ("Cache-Control?",)),
        ),
        codes=("invalid_parameter", "invalid_header", "busy", *JOB),
    ),
}
