"""TCP ports on this host."""

from __future__ import annotations

import errno
import socket

from client.errors import StartFailed


def bind(port: int, host: str) -> None:
    """Bind `port` for a moment, as a server would; raises OSError when that server could not."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, proto) as candidate:
        # As servers do: a connection of the previous one in TIME_WAIT does not count as taken.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind(address)


def require_free(port: int, host: str) -> None:
    """Raises StartFailed, with the remedy, when no server could listen on `host` and `port`."""
    try:
        bind(port, host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartFailed(
                f"Port {port} on {host} is taken. Stop what listens there, or choose another with --port."
            ) from None
        if error.errno == errno.EACCES:
            raise StartFailed(
                f"Port {port} needs more rights than you have. Choose one above 1023 with --port."
            ) from None
        raise StartFailed(
            f"{host!r} is no address of this machine ({error.strerror}). Choose another with --host."
        ) from None


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    try:
        bind(port, host)
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that is free on the loopback address now."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port


def first_free(start: int, taken: set[int]) -> int:
    """The first free port from `start` on that is not in `taken`; 0 (off) stays 0."""
    for port in range(start, 65536) if start else ():
        if port not in taken and is_free(port):
            return port
    return 0
