"""The address of a receiver, as far as it can be judged without asking a name server."""

from __future__ import annotations

import re
import socket
from urllib.parse import SplitResult, urlsplit

from api.webhooks.receivers import Receivers

#: What a URL may consist of: nothing that would end a line of the request.
URL_TEXT = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){0,126}|[0-9a-f:.]*:[0-9a-f:.]*")

DEFAULT_PORTS = {"http": 80, "https": 443}


def check_url(url: str, receivers: Receivers) -> None:
    """Raises ValueError with what is wrong, which never repeats a part of the URL: it may hold a token."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL") from None
    host = parts.hostname or ""
    if not URL_TEXT.fullmatch(url) or parts.scheme not in DEFAULT_PORTS or not HOST.fullmatch(host):
        raise ValueError("must be a whole URL with https, in ASCII")
    if port == 0 or parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("must have no user, password, fragment or port 0")
    address = literal(host)
    if parts.scheme == "http" and not receivers.allow(host, address or "::"):
        raise ValueError("must begin with https://")
    if address and not receivers.admit(host, address):
        raise ValueError("must not lead into a private network")


def literal(host: str) -> str | None:
    """The address that the host is rather than has; C libraries know more forms (`2130706433`, `0x7f.1`)."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host if ":" in host else None


def port_of(url: SplitResult) -> int:
    return url.port or DEFAULT_PORTS[url.scheme]
