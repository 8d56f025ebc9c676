"""A TCP proxy that loses, delays and cuts what passes through it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from time import sleep

PIECE = 65536


class Proxy:
    """In front of a server on this machine. Its attributes may be changed at any time."""

    def __init__(self, target_port: int) -> None:
        self.drops_requests = False  #: Nothing reaches the server, and nobody hears of it.
        self.drops_replies = False  #: The server does what it is told, and nobody hears of it.
        self.reply_delay = 0.0  #: Seconds, before each piece of a reply.
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopped = False

    @property
    def url(self) -> str:
        """Of the server behind it, when that is a Redis."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        self._spawn(self._accept)
        try:
            yield self
        finally:
            self._stopped = True
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self.cut()
            for thread in self._threads:
                thread.join()

    def cut(self) -> None:
        """End every connection there is; new ones are welcome."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            with self._lock:
                if self._stopped:  # Since the accept; nobody would cut these any more.
                    client.close()
                    server.close()
                    return
                self._open |= {client, server}
            self._spawn(self._carry, client, server, "requests")
            self._spawn(self._carry, server, client, "replies")

    def _carry(self, source: socket.socket, target: socket.socket, kind: str) -> None:
        """Until either side ends; then both do."""
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if kind == "replies" and self.reply_delay:
                    sleep(self.reply_delay)
                if not getattr(self, f"drops_{kind}"):
                    target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
