"""One POST to an address that was checked: it connects to what it has looked at, and to nothing else.

An HTTP library would resolve the name once more, follow redirects and read proxies from the environment,
each of which leads past the check.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from api.webhooks.address import port_of
from api.webhooks.failure import DeliveryFailed
from api.webhooks.receivers import Receivers

#: For all of connecting, sending and receiving.
EXCHANGE_SECONDS = 5.0

#: Of an answer no more is read than its head, and of that no more than this.
MAX_ANSWER_BYTES = 65536

#: A name may have many addresses that do not answer.
MAX_ADDRESSES = 3

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
RETRY_AFTER = re.compile(rb"\r\nretry-after:[ \t]*([\x20-\x7e]{1,64}?)[ \t]*\r\n", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"

#: Family and address, as `connect` takes it.
Target = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str | None = None  #: The header as it came.


def post(
    url: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
    receivers: Receivers,
    tls: ssl.SSLContext,
    seconds: float = EXCHANGE_SECONDS,
) -> Answer:
    """Resolves the name once. Raises DeliveryFailed."""
    targets = resolve(url, receivers)
    deadline = time.monotonic() + seconds
    try:
        with connect(targets, deadline) as plain:
            plain.settimeout(left_until(deadline))
            with protected(url, plain, tls) as connection:
                connection.settimeout(left_until(deadline))
                connection.sendall(request_of(url, body, headers))
                return read_answer(connection, deadline)
    except TimeoutError:
        raise DeliveryFailed("timed_out") from None
    except ssl.SSLError:
        raise DeliveryFailed("tls_failed") from None
    except OSError:
        raise DeliveryFailed("connection_failed") from None


def resolve(url: SplitResult, receivers: Receivers) -> list[Target]:
    """One address that must not be reached is enough to refuse the name."""
    host = url.hostname or ""
    try:
        found = socket.getaddrinfo(host, port_of(url), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryFailed("unresolvable") from None
    if not found:
        raise DeliveryFailed("unresolvable")
    if not all(receivers.admit(host, str(target[0])) for *_, target in found):
        raise DeliveryFailed("address_refused")
    return [(family, target) for family, _, _, _, target in found[:MAX_ADDRESSES]]


def connect(targets: Sequence[Target], deadline: float) -> socket.socket:
    """To the first that answers; each has its share of the time that is left."""
    *others, last = targets
    for i, target in enumerate(others):
        with suppress(OSError):
            return dial(target, left_until(deadline) / (len(targets) - i))
    return dial(last, left_until(deadline))


def dial(target: Target, seconds: float) -> socket.socket:
    family, address = target
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def protected(url: SplitResult, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
    """The certificate must be that of the name, whatever the address."""
    if url.scheme == "http":
        return connection
    return tls.wrap_socket(connection, server_hostname=url.hostname)


def left_until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def request_of(url: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {url.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("ascii") + body


def read_answer(connection: socket.socket, deadline: float) -> Answer:
    received = b""
    while True:
        head, end, rest = received.partition(END_OF_HEAD)
        status = STATUS_LINE.match(received)
        if end and status and status[1].startswith(b"1"):  # The answer is still to come.
            received = rest
            continue
        if end:
            return parse_head(head + END_OF_HEAD)
        connection.settimeout(left_until(deadline))
        piece = connection.recv(4096)
        if not piece or len(received) > MAX_ANSWER_BYTES:
            raise DeliveryFailed("invalid_answer" if received else "connection_failed")
        received += piece


def parse_head(head: bytes) -> Answer:
    status = STATUS_LINE.match(head)
    if status is None:
        raise DeliveryFailed("invalid_answer")
    retry_after = RETRY_AFTER.search(head)
    return Answer(int(status[1]), retry_after[1].decode("ascii") if retry_after else None)
