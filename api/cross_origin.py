"""Which pages of other origins may call the API from a browser."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask
from flask_cors import CORS

#: What of an answer such a page may read beyond its body.
EXPOSED = [
    *("ETag", "Idempotent-Replayed", "Link", "Location", "Preference-Applied", "RateLimit"),
    *("RateLimit-Policy", "Retry-After", "X-Request-Id", "X-Should-Retry"),
]

#: What it may send.
ALLOWED = [
    *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer"),
    *("X-Request-Id", "traceparent"),
    # OpenAI's client for browsers sends these with every call: its version, and how often it tried.
    *("User-Agent", r"X-Stainless-[A-Za-z-]+"),
]

#: For which a browser need not ask again.
MAX_AGE_SECONDS = 600


def register_cross_origin(app: Flask, origins: Sequence[str]) -> None:
    """No credentials: a key is sent by the page, never by the browser."""
    if origins:
        CORS(
            app,
            origins=list(origins),
            allow_headers=ALLOWED,
            expose_headers=EXPOSED,
            max_age=MAX_AGE_SECONDS,
            send_wildcard=True,
        )
