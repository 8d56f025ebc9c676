"""A time limit for everything that a thread asks of the server, however many commands that are.

A socket's timeout limits one silence: a server that is slow at each of ten replies, or that sends a byte now
and then, may take many times as long.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import redis

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Calls of this thread to a server fail as if it had not answered, `seconds` from now on.

    To wait for a free connection of the pool is limited by the pool alone. An inner limit replaces an outer.
    """
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def within_limit(timeout: float | None) -> float | None:
    """`timeout`, or what is left of the limit when that is less. Raises TimeoutError when nothing is left."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("timed out")
    return remaining if timeout is None else min(timeout, remaining)


class _LimitedSocket:
    """A socket whose every operation also keeps to the thread's limit."""

    def __init__(self, sock: socket.socket, timeout: float | None) -> None:
        self._sock = sock
        self._timeout = timeout

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def recv(self, *arguments: Any) -> bytes:
        return self._limited().recv(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        return self._limited().recv_into(*arguments)

    def sendall(self, data: Any) -> None:
        self._limited().sendall(data)

    def _limited(self) -> socket.socket:
        self._sock.settimeout(within_limit(self._timeout))
        return self._sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Limited(redis.connection.AbstractConnection):
    def _connect(self) -> Any:
        connect_timeout, timeout = self.socket_connect_timeout, self.socket_timeout
        self.socket_connect_timeout = within_limit(connect_timeout)
        self.socket_timeout = within_limit(timeout)  # Of the TLS handshake.
        try:
            sock = super()._connect()  # type: ignore[no-untyped-call, safe-super]
        finally:
            self.socket_connect_timeout, self.socket_timeout = connect_timeout, timeout
        return _LimitedSocket(sock, timeout)


class LimitedConnection(_Limited, redis.Connection):
    """redis://"""


class LimitedTLSConnection(_Limited, redis.SSLConnection):
    """rediss://"""


LIMITED: dict[type[Any], type[Any]] = {
    redis.Connection: LimitedConnection,
    redis.SSLConnection: LimitedTLSConnection,
}
