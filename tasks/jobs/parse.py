"""What the text of a setting may be. Every function raises ValueError with words that help."""

from __future__ import annotations

import logging
import math
from urllib.parse import parse_qs, urlsplit


def parse_number(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"expected a number from {low:g} to {high:g}")
    return number


def parse_whole(text: str, low: int, high: int) -> int:
    number = parse_number(text, low, high)
    if not number.is_integer():
        raise ValueError("expected a whole number")
    return int(number)


def parse_switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("expected 0 or 1")
    return text == "1"


def parse_port(text: str) -> int:
    return parse_whole(text, 0, 65535)


def parse_log_level(text: str) -> str:
    level = text.strip().upper()
    if level not in logging.getLevelNamesMapping():
        raise ValueError("expected DEBUG, INFO, WARNING or ERROR")
    return level


#: What the query of a Redis URL may say. All else the client would take for an option of its own: timeouts,
#: on which our promises rest, or a name that it does not know until it connects.
REDIS_OPTIONS = frozenset(
    {
        "db",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "ssl_keyfile_password",
    }
)


def parse_redis_url(text: str) -> str:
    """The words never repeat a part of the URL: wherever it is cut wrongly, that part may be the password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number; write special characters of a password as %XX") from None
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or port == 0 or parts.fragment:
        raise ValueError("expected redis://HOST:PORT/DATABASE, or rediss:// for TLS")
    options = parse_qs(parts.query, keep_blank_values=True)
    if not options.keys() <= REDIS_OPTIONS:
        raise ValueError(f"its query may name {', '.join(sorted(REDIS_OPTIONS))} and nothing else")
    if parts.scheme == "redis" and options.keys() - {"db"}:
        raise ValueError("only rediss:// has options for TLS")
    databases = [parts.path.removeprefix("/"), *options.get("db", [])]
    if not all(each.isdecimal() for each in databases if each):
        raise ValueError("its database is no number")
    return text
