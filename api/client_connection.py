"""A client's connection whose reads have a deadline, however many bytes trickle in until then."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from api.errors import RequestTimeout

#: A body that comes at this pace has all the time that it needs: 1 Mbit/s.
BODY_BYTES_PER_SECOND = 2**17


class DeadlineReader(SocketUnreader):  # type: ignore[misc]
    """What gunicorn reads a request from. The socket's own timeout holds as well, for each read."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._deadline = math.inf
        self._pace = math.inf
        self._too_late: Callable[[], Exception] = TimeoutError

    def limit(self, seconds: float, too_late: Callable[[], Exception], pace: float = math.inf) -> None:
        """From now on reads end `seconds` from now, and a second later for each `pace` bytes that come; a
        later one raises what `too_late` returns."""
        self._deadline = time.monotonic() + seconds
        self._pace = pace
        self._too_late = too_late

    def chunk(self, size_hint: int | None = None) -> bytes:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise self._too_late()
        timeout = self.sock.gettimeout()
        self.sock.settimeout(remaining if timeout is None else min(timeout, remaining))
        try:
            data: bytes = super().chunk(size_hint)
        except TimeoutError:
            if time.monotonic() < self._deadline:
                raise
            raise self._too_late() from None
        finally:
            self.sock.settimeout(timeout)
        self._deadline += len(data) / self._pace
        return data


class ClientConnection(TConn):  # type: ignore[misc]
    """Its headers have `header_seconds`, from their first byte on. Its owner limits what comes after."""

    reader: DeadlineReader

    def __init__(
        self, cfg: Any, sock: socket.socket, client: Any, server: Any, header_seconds: float
    ) -> None:
        super().__init__(cfg, sock, client, server)
        self._header_seconds = header_seconds
        self._closed = False

    def init(self) -> None:
        """Called in a thread whenever a request begins."""
        begins = not self.initialized
        super().init()
        if begins:
            self.reader = self.parser.unreader = DeadlineReader(self.sock)
        self.reader.limit(self._header_seconds, RequestTimeout)

    def close(self, graceful: bool = False) -> None:
        """Idempotent: the thread closes, and gunicorn's loop does so again."""
        if not self._closed:
            self._closed = True
            super().close(graceful)
