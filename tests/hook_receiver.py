"""A receiver of webhooks on the loopback, which answers as a test says."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True)
class Received:
    line: str
    headers: dict[str, str]  #: Names in small letters.
    body: bytes


def answer(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Because", *headers, "", ""]).encode()


class HookReceiver:
    """`answers` says for each message, counted from 0, what to send back; it may wait before it does."""

    def __init__(
        self,
        answers: Callable[[int], bytes] = lambda _: OK,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self.received: list[Received] = []
        self.num_connections = 0
        self._answers = answers
        self._tls = tls
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="receiver")

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/told?token=s3cret"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.num_connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:  # Clients hang up, and that is part of the tests.
            connection.settimeout(30)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                line = stream.readline().decode("latin-1").strip()
                headers = dict(self._headers(iter(stream.readline, b"\r\n")))
                body = stream.read(int(headers.get("content-length", "0")))
                with self._lock:
                    number = len(self.received)
                    self.received.append(Received(line, headers, body))
                connection.sendall(self._answers(number))

    @staticmethod
    def _headers(lines: Iterable[bytes]) -> list[tuple[str, str]]:
        pairs = (line.decode("latin-1").strip().partition(": ") for line in lines)
        return [(name.lower(), value) for name, _, value in pairs]
