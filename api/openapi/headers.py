"""Headers that the document names, of requests and of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.headers import IDEMPOTENCY_KEY, LAST_EVENT_ID

Schema = dict[str, Any]


def text(description: str, *examples: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, "examples": list(examples), **more}


#: Of requests. What is not checked is passed over where it cannot be used.
REQUEST: Mapping[str, Schema] = {
    IDEMPOTENCY_KEY.name: IDEMPOTENCY_KEY.adapter.json_schema(),
    LAST_EVENT_ID.name: LAST_EVENT_ID.adapter.json_schema(),
    "Prefer": text(
        "RFC 7240: `wait=N` seconds up to 60, or `respond-async` for 0. What cannot be met is met as far as "
        "possible.",
        "wait=10",
        "respond-async",
    ),
    "If-None-Match": text("The `ETag` that is known: the answer is a 304 while it holds."),
    "X-Request-Id": text("1 to 128 letters, digits, `.`, `_`, `:`, `-`: comes back, and finds the logs."),
}

#: Of answers.
ANSWER: Mapping[str, Schema] = {
    "Allow": text("The methods that there are."),
    "Cache-Control": text("Who may keep the answer."),
    "ETag": text(
        "Changes whenever anything in the body does; the same on every replica.", pattern='^"[0-9a-f]+"$'
    ),
    "Idempotent-Replayed": text("The `Idempotency-Key` led to what was made before.", const="true"),
    "Link": text("The next page, as `rel=next`."),
    "Location": text("Where the job or batch is.", "/jobs/job_8e4a3d02f4808f01ba73d8a5fbcaca79"),
    "Preference-Applied": text("The preference that was met (RFC 7240).", "wait=10"),
    "RateLimit": text("How many submits the key has left, and for how many seconds.", '"submits";r=59;t=60'),
    "RateLimit-Policy": text("How often the key may submit.", '"submits";q=60;w=60'),
    "Retry-After": {"type": "integer", "minimum": 1, "description": "In how many seconds to try again."},
    "WWW-Authenticate": text("How to send a key.", 'Bearer realm="neoserve"'),
    "X-Should-Retry": text("For OpenAI's clients: sending it again is of no use.", const="false"),
    "X-Request-Id": text(
        "That of the request, or one that was made for it.", pattern="^[A-Za-z0-9._:-]{1,128}$"
    ),
}
