"""One thread that sees which of the waiting clients have closed their connection."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.jobs.stoppable_thread import StoppableThread

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
#: A client that only ended its own side is asked this often whether it still reads.
PROBE_SECONDS = 15.0

CLOSED = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Client:
    """The connection of one waiting request.

    The end of what a client sends looks the same whether it closed or has only said all it had to say. So it
    is sent something that means nothing (`probe`): where nobody reads any more, its system answers with a
    reset.
    """

    def __init__(
        self, connection: socket.socket, wake: Callable[[], None], probe: Callable[[], None]
    ) -> None:
        self.connection = connection
        self.gone = False
        self._wake = wake
        self._probe = probe
        self._next_probe = 0.0

    def look(self, seen: int) -> bool:
        """`seen` by poll(). False: there is nothing more to see."""
        if seen & CLOSED:
            self.hung_up()
            return False
        try:
            if self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return (
                    False  # Its next request, already: it is there, and more is not to be seen behind that.
                )
            self._ask()
        except BlockingIOError:
            return True
        except OSError:
            self.hung_up()
            return False
        return not self.gone

    def hung_up(self) -> None:
        self.gone = True
        self._wake()

    def _ask(self) -> None:
        now = time.monotonic()
        if now >= self._next_probe:
            self._next_probe = now + PROBE_SECONDS
            self._probe()


class Hangups(StoppableThread):
    """Looks at all watched connections together, twice a second. Thread-safe."""

    def __init__(self) -> None:
        super().__init__("hangups")
        self._lock = threading.Lock()
        self._clients: dict[int, Client] = {}
        self._poll = select.poll()

    @contextmanager
    def watch(self, client: Client) -> Iterator[None]:
        """While nobody else reads from its connection. After this nothing is called or sent any more."""
        number = client.connection.fileno()
        with self._lock:
            self._clients[number] = client
            self._poll.register(number, select.POLLIN)
        try:
            yield
        finally:
            with self._lock:
                self._forget(number)

    def look(self) -> None:
        """Not from several threads."""
        with self._lock:
            clients = dict(self._clients)
        # Outside: a thousand calls that end at once would wait until this thread has its turn again.
        for number, seen in self._poll.poll(0):
            with self._lock:
                client = self._clients.get(number)
                # Its number may be another connection's by now.
                if client is not None and client is clients.get(number) and not client.look(seen):
                    self._forget(number)

    def _forget(self, number: int) -> None:
        if self._clients.pop(number, None) is not None:
            self._poll.unregister(number)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()
