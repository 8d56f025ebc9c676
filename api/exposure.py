"""Whether others than this machine's own programs can reach the API, and whether it asks them for a key."""

from __future__ import annotations

import ipaddress
import socket

from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting


def refuse_exposed(settings: ApiSettings, *hosts: str) -> None:
    """Raises InvalidSetting where anybody could use it without a key, unless NEOSERVE_INSECURE says so."""
    asks = settings.api_keys or settings.api_keys_file
    for host in hosts:
        if not asks and not settings.insecure and not is_loopback(host):
            raise InvalidSetting(
                f"on {host or 'every address'} others can reach the API, and it asks nobody for a key. Make "
                "one with `neoserve keys add NAME --file FILE` and set NEOSERVE_API_KEYS_FILE=FILE, or set "
                "NEOSERVE_INSECURE=1 where something else keeps them away"
            )


def refuse_limits_without_keys(settings: ApiSettings) -> None:
    """Raises InvalidSetting: a limit for each key that limits nobody is a mistake."""
    if settings.api_keys or settings.api_keys_file:
        return
    limits = {
        "NEOSERVE_RATE_LIMIT": settings.rate_limit,
        "NEOSERVE_MAX_JOBS_PER_KEY": settings.max_jobs_per_key,
    }
    for name, limit in limits.items():
        if limit:
            raise InvalidSetting(f"{name} limits each key, and there are none: set NEOSERVE_API_KEYS_FILE")


def is_loopback(host: str) -> bool:
    """Of a name, whether all of its addresses are. What cannot be resolved is not."""
    try:
        found = socket.getaddrinfo(host or None, None, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
