"""Metrics over HTTP on a port of their own, for whatever a scraper says."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

log = logging.getLogger(__name__)

#: prometheus_client raises TypeError over a version that is none.
NO_VERSION = re.compile(r"version=(?!\d+\.\d+\.\d+\s*(;|$))")


def known_format(accept: str) -> str:
    """The Accept header without what cannot be understood."""
    return ",".join(part for part in accept.split(",") if not NO_VERSION.search(part))


def serve(registry: CollectorRegistry, host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Raises OSError where the port cannot be had."""
    server, thread = start_http_server(port, host, registry)
    app: Any = server.get_app()

    def understood(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["HTTP_ACCEPT"] = known_format(environ.get("HTTP_ACCEPT", ""))
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    server.set_app(understood)
    server.handle_error = _cut_off  # type: ignore[method-assign, assignment]
    return server, thread


def _cut_off(_request: Any, _client: Any) -> None:
    """In one line, where socketserver would print a traceback past the log."""
    log.info("a scrape was cut off: %r", sys.exc_info()[1])
