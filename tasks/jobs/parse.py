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


def parse_redis_url(text: str) -> str:
    """The words never repeat a part of the URL: wherever it is cut wrongly, that part may be the password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number; write special characters of a password as %XX") from None
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or port == 0 or parts.fragment:
        raise ValueError("expected redis://HOST:PORT/DATABASE, or rediss:// for TLS")
    databases = [parts.path.removeprefix("/"), *parse_qs(parts.query).get("db", [])]
    if not all(each.isdecimal() for each in databases if each):
        raise ValueError("its database is no number")
    return text
