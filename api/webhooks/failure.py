"""Why an attempt at a delivery has failed."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "address_refused",  # It leads into a network that the operator has not allowed.
    "unresolvable",  # The name of the host has no address.
    "connection_failed",  # Nobody answers there, or the connection was cut off.
    "tls_failed",  # The certificate is not that of the host, or there is no TLS.
    "timed_out",  # Connecting, sending and the answer took too long.
    "invalid_answer",  # It is no HTTP, or its head is too large.
    "redirected",  # 3xx: redirects are not followed.
    "rejected",  # Any other status that is not 2xx.
]


class DeliveryFailed(Exception):
    """The receiver has not answered."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Code = code
