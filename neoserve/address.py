"""Where the service is, and what is said to it in every request."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from neoserve.effects import Call
from neoserve.errors import Unreachable
from neoserve.requests import header_value

DEFAULT_URL = "http://127.0.0.1:8080"

CONNECT_SECONDS = 5.0

#: On top of the wait asked for, before an answer counts as lost.
ANSWER_SECONDS = 15.0

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Address:
    """A service's address, and the headers for it; `shown` is the address without a password."""

    url: str
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, base_url: str | None, api_key: str | None) -> Address:
        """What is None is taken from NEOSERVE_URL and NEOSERVE_API_KEY. Raises ValueError."""
        url = base_url or os.environ.get("NEOSERVE_URL") or DEFAULT_URL
        key = api_key or os.environ.get("NEOSERVE_API_KEY")
        url = (url if "://" in url else f"http://{url}").rstrip("/")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{url!r} is no address. Give one such as {DEFAULT_URL}.")
        bearer = {"Authorization": f"Bearer {header_value('api_key', key)}"} if key else {}
        return cls(url, {"User-Agent": "neoserve-python", "Accept": "application/json", **bearer})

    @property
    def shown(self) -> str:
        return str(httpx.URL(self.url).copy_with(userinfo=b""))

    def request(self, call: Call) -> httpx.Request:
        read = call.wait_seconds + ANSWER_SECONDS
        timeout = httpx.Timeout(read, connect=CONNECT_SECONDS)
        return httpx.Request(
            call.method,
            self.url + call.path,
            headers={**self.headers, **call.headers},
            content=call.content,
            extensions={"timeout": timeout.as_dict()},
        )

    def lost(self, error: httpx.RequestError) -> Unreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(f"No service answers at {self.shown}.")
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"{self.shown} did not answer in time.")
        return Unreachable(f"The connection to {self.shown} broke ({type(error).__name__}).")

    @property
    def trust_env(self) -> bool:
        """A proxy for the outside world cannot reach a service on this machine."""
        return httpx.URL(self.url).host not in _LOOPBACK

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """Reading the machine's certificates takes longer than a request on this machine; over plain HTTP
        they are not needed, and a context without any trusts nobody."""
        return True if self.url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
