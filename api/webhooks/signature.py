"""Signatures as Standard Webhooks has them: https://www.standardwebhooks.com"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """With each of the secrets, so that a receiver may know the old one or the new one."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (hmac.digest(secret, content, "sha256") for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }
