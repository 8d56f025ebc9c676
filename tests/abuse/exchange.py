"""Abusive requests, sent to a server; what it answered to each."""

from __future__ import annotations

import errno
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.abuse.case import Case

CLIENTS = 8
SECONDS = 30.0
ANSWER = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """All that came back for `case` until the server closed; `statuses` are those of every answer in it."""

    case: Case
    data: bytes

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in ANSWER.findall(self.data)]

    @property
    def first(self) -> int | None:
        """None for a connection that was closed without a word."""
        return next(iter(self.statuses), None)

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0].lower()

    @property
    def in_shape(self) -> bool:
        """A refusal is a problem document, below /v1 an error of OpenAI's."""
        return b"application/problem+json" in self.head or b'\r\n\r\n{"error":{' in self.data

    @property
    def recorded(self) -> bool:
        """Whether a job was."""
        return self.first in (200, 202) and b"\r\nlocation: /jobs/" in self.head

    def complaint(self) -> str | None:
        """What is wrong with it; None when nothing is."""
        first = self.first
        if first not in self.case.answers:
            return f"{self.case.name}: answered {first}, {self.data[-300:]!r}"
        if any(status < 400 for status in self.statuses[1:]):
            return f"{self.case.name}: a second request was seen in it, {self.data[-300:]!r}"
        if first is not None and first >= 400 and not self.in_shape:
            return f"{self.case.name}: {first} without a problem document, {self.data[:300]!r}"
        return None


@contextmanager
def until_closed() -> Iterator[None]:
    """A server that refuses what it has seen of a request may close at any time."""
    try:
        yield
    except ConnectionError:
        pass
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise


def send(port: int, case: Case) -> Reply:
    """Sends all of it, or as much as the server takes, and says then that nothing more comes."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        with until_closed():
            connection.sendall(case.data)
            connection.shutdown(socket.SHUT_WR)
        with until_closed():
            while piece := connection.recv(65_536):
                received += piece
    return Reply(case, bytes(received))


def send_all(port: int, cases: Iterable[Case]) -> list[Reply]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda case: send(port, case), cases))


def classes(replies: Iterable[Reply]) -> dict[str, int]:
    """How often each first status came."""
    return dict(sorted(Counter(str(reply.first) for reply in replies).items()))
