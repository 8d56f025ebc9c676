"""What happens around every request: its id, its figures, its line in the log."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from api.ids import request_id
from api.metrics import bounded_method
from api.service import current_service

logger = logging.getLogger(__name__)

#: Probes, scrapes and open pages come every few seconds; they are logged at DEBUG.
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/health", "/metrics"})


def register_access(app: Flask) -> None:
    app.before_request(begin)
    app.after_request(finish)


def begin() -> None:
    g.started = time.monotonic()
    g.request_id = request_id(request.headers.get("X-Request-Id"))
    g.waited_seconds = 0.0
    g.code = ""
    g.job_id = ""


def finish(response: Response) -> Response:
    seconds = time.monotonic() - g.started
    response.headers["X-Request-Id"] = g.request_id
    # A browser that opens a job must not take a prompt in it for markup.
    response.headers["X-Content-Type-Options"] = "nosniff"
    count(response.status_code, seconds)
    level = logging.DEBUG if route() in QUIET_ROUTES else logging.INFO
    # Never the body, the query or the raw path: they may hold a prompt or a secret.
    logger.log(
        level,
        "method=%s route=%s status=%d ms=%.1f waited_ms=%.1f code=%s request_id=%s job_id=%s",
        bounded_method(request.method),
        route(),
        response.status_code,
        seconds * 1000,
        g.waited_seconds * 1000,
        g.code or "-",
        g.request_id,
        g.job_id or "-",
    )
    return response


def count(status: int, seconds: float) -> None:
    metrics = current_service().metrics
    method = bounded_method(request.method)
    metrics.requests.labels(method, route(), str(status), g.code).inc()
    metrics.request_seconds.labels(method, route(), str(status)).observe(seconds)
    metrics.handling_seconds.labels(method, route()).observe(max(0.0, seconds - g.waited_seconds))


def route() -> str:
    """The rule that matched, `/jobs/<job_id>`: one label value for each route, whatever clients send."""
    return request.url_rule.rule if request.url_rule is not None else "unmatched"
