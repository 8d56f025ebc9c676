"""Clients that connect and say little."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HEAD = b"POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
LONG_BODY = HEAD + b"Content-Length: 200000\r\n\r\n"


def connection_to(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def read_to_the_end(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


class Dribblers:
    """Each sends its beginning and then a byte a second, as long as it may."""

    def __init__(self, port: int, beginnings: list[bytes], seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()
        self.connections = [connection_to(port) for _ in beginnings]
        for connection, beginning in zip(self.connections, beginnings, strict=True):
            connection.sendall(beginning)
        self._thread = threading.Thread(target=self._run, name="dribblers")

    def answers(self) -> list[bytes]:
        """Of all, when the server has closed every connection."""
        return [read_to_the_end(connection) for connection in self.connections]

    @contextmanager
    def running(self) -> Iterator[Dribblers]:
        self._thread.start()
        with ExitStack() as ending:
            for connection in self.connections:
                ending.enter_context(connection)
            ending.callback(self._thread.join)
            ending.callback(self._stopped.set)
            yield self

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            for connection in self.connections:
                try:
                    connection.sendall(b"x")
                except OSError:  # the server has had enough of it
                    continue
