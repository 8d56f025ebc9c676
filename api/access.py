"""What happens around every request: its id, its figures, its line in the log."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from api.ids import request_id
from api.metrics import bounded_method
from api.request_trace import begin_trace, end_trace
from api.service import current_service
from tasks.jobs.log_line import LogLine

logger = logging.getLogger(__name__)

#: Probes, scrapes and open pages come every few seconds; they are logged at DEBUG, and not traced.
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/health", "/metrics"})


def register_access(app: Flask) -> None:
    app.before_request(begin)
    app.after_request(finish)


def begin() -> None:
    g.started = time.monotonic()
    g.request_id = request_id(request.headers.get("X-Request-Id"))
    g.waited_seconds = 0.0  # For the client: for its body to arrive, and for its job as long as it chose.
    g.code = ""
    g.job_id = ""
    begin_trace(bounded_method(request.method), route(), quiet=route() in QUIET_ROUTES)


def finish(response: Response) -> Response:
    seconds = time.monotonic() - g.started
    response.headers["X-Request-Id"] = g.request_id
    # A browser that opens a job must not take a prompt in it for markup.
    response.headers["X-Content-Type-Options"] = "nosniff"
    count(response.status_code, seconds)
    level = logging.DEBUG if route() in QUIET_ROUTES else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, line(response.status_code, seconds))
    end_trace(response)
    return response


def line(status: int, seconds: float) -> LogLine:
    """Never the body, the query or the raw path: they may hold a prompt or a secret."""
    traced = {"trace_id": g.origin.trace_id} if g.origin.traceparent else {}
    owned = {"key": g.owner} if g.get("owner") else {}
    return LogLine(
        method=bounded_method(request.method),
        route=route(),
        status=status,
        ms=round(seconds * 1000, 1),
        waited_ms=round(g.waited_seconds * 1000, 1),
        code=g.code,
        request_id=g.request_id,
        job_id=g.job_id,
        **owned,
        **traced,
    )


def count(status: int, seconds: float) -> None:
    metrics = current_service().metrics
    method = bounded_method(request.method)
    metrics.requests.labels(method, route(), str(status), g.code).inc()
    metrics.request_seconds.labels(method, route(), str(status)).observe(seconds)
    metrics.handling_seconds.labels(method, route()).observe(max(0.0, seconds - g.waited_seconds))


def route() -> str:
    """The rule that matched, `/jobs/<job_id>`: one label value for each route, whatever clients send."""
    return request.url_rule.rule if request.url_rule is not None else "unmatched"
