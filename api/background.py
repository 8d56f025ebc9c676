"""The threads beside the requests: the listener, the reaper and the metrics port."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry

from tasks.jobs.exposition import serve

logger = logging.getLogger(__name__)


class Startable(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class MetricsPort:
    """/metrics on a port of its own; port 0 turns it off."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self._host = host
        self._port = port
        self._registry = registry
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """A port that cannot be had costs one warning: the API serves /metrics on its main port as well."""
        if not self._port:
            return
        try:
            server, thread = serve(self._registry, self._host, self._port)
        except OSError as error:
            logger.warning("no metrics on %s:%d: %s", self._host, self._port, error.strerror)
            return

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stop = stop

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None


class Background:
    """Starts its parts in order and stops them in reverse; in the process that serves, after any fork."""

    def __init__(self, *parts: Startable) -> None:
        self._parts = parts

    def start(self) -> None:
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        for part in reversed(self._parts):
            part.stop()
