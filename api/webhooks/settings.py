"""What the text of the settings for webhooks may be. The functions raise ValueError with words that help."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import ip_network

from api.webhooks.receivers import Network, Receivers

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)

BETWEEN = re.compile(r"[\s,]+")
HOST_NAME = re.compile(r"(?=.*[a-z])[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The words never repeat a part of a secret."""
    return tuple(_parse_secret(each) for each in BETWEEN.split(text.strip()))


def _parse_secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(PREFIX) or len(secret) not in SECRET_BYTES:
        raise ValueError("expected whsec_ and 24 to 64 random bytes in base64, or several of these")
    return secret


def parse_receivers(text: str) -> Receivers:
    networks: list[Network] = []
    hosts: set[str] = set()
    for each in BETWEEN.split(text.strip().lower()):
        try:
            networks.append(ip_network(each))
        except ValueError:
            if not HOST_NAME.fullmatch(each):
                raise ValueError("expected networks (10.0.0.0/8) and names of hosts") from None
            hosts.add(each)
    return Receivers(tuple(networks), frozenset(hosts))
