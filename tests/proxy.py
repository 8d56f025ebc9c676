"""A network that can be broken: a TCP proxy in front of the server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from time import sleep
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK_BYTES = 65536


class _Direction:
    """What all connections do with data in one direction."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.delay_seconds = 0.0
        self.cut_before_next = False


class _Link:
    """One connection through the proxy: two sockets, two threads."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = client, server
        self.buried = False
        self._pumping = 2
        self._lock = threading.Lock()

    def end(self) -> None:
        """Wakes both threads; the last one to leave closes."""
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def left(self) -> None:
        with self._lock:
            self._pumping -= 1
            if not self._pumping:
                for each in self.sockets:
                    each.close()


class Proxy:
    """Listens on a port of its own and forwards to `target`, each connection in two threads.

    `hold` is a network that delivers nothing and loses nothing: what was sent arrives after `release`.
    `bury` is one that has forgotten its connections: they stay open and silent for ever, new ones work.
    """

    def __init__(self, target: str) -> None:
        """`target` is the URL of a server on this machine."""
        self._target = urlsplit(target)
        self._to_server, self._to_client = _Direction(), _Direction()
        self._links: list[_Link] = []
        self._pumps: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The target's, by way of the proxy."""
        user = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{user and user + '@'}127.0.0.1:{self._port}").geturl()

    def hold(self, *, to_server: bool = False, to_client: bool = False) -> None:
        """Also for connections that are made meanwhile."""
        for wanted, direction in ((to_server, self._to_server), (to_client, self._to_client)):
            if wanted:
                direction.open.clear()

    def release(self) -> None:
        self._to_server.open.set()
        self._to_client.open.set()

    def bury(self) -> None:
        for link in self._known():
            link.buried = True

    def cut(self) -> None:
        for link in self._known():
            link.end()

    def delay_replies(self, seconds: float) -> None:
        """Each piece of them; 0 is no delay any more."""
        self._to_client.delay_seconds = seconds

    def drop_next_reply(self) -> None:
        """The server has done what it was asked for, and the client does not learn of it."""
        self._to_client.cut_before_next = True

    def close(self) -> None:
        self._closed = True
        # Closing alone does not wake the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self.bury()
        self.release()
        self.cut()
        for pump in self._pumps:
            pump.join()

    def _known(self) -> list[_Link]:
        with self._lock:
            return list(self._links)

    def _accept(self) -> None:
        while not self._closed:
            with suppress(OSError):  # Nobody listens behind the proxy, or the proxy ends.
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target.port))
                except OSError:
                    client.close()
                    raise
                self._connect(_Link(client, server))

    def _connect(self, link: _Link) -> None:
        client, server = link.sockets
        with self._lock:
            self._links.append(link)
        for source, target, direction in (
            (client, server, self._to_server),
            (server, client, self._to_client),
        ):
            arguments = (source, target, direction, link)
            pump = threading.Thread(target=self._pump, args=arguments, name="proxy", daemon=True)
            self._pumps.append(pump)
            pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, direction: _Direction, link: _Link) -> None:
        """What was read before the source's end is still delivered, however late."""
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                direction.open.wait()
                sleep(direction.delay_seconds)
                if direction.cut_before_next:
                    direction.cut_before_next = False
                    break
                if not link.buried:
                    target.sendall(data)
        direction.open.wait()
        if not link.buried:
            link.end()
        link.left()
