"""One attempt at a delivery, from the record to the receiver's answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from api.webhooks.address import check_url
from api.webhooks.exchange import post
from api.webhooks.failure import Code, DeliveryFailed
from api.webhooks.message import message_body, message_id
from api.webhooks.receivers import Receivers
from api.webhooks.schedule import seconds_until_next
from api.webhooks.signature import signed_headers
from tasks.jobs.names import VERSION
from tasks.jobs.webhook_queue import DueDelivery, Settlement

GONE = 410


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What has come of it."""

    settlement: Settlement
    status: int | None = None
    code: Code | None = None
    retry_seconds: float = 0.0


class WebhookSender:
    """Thread-safe."""

    def __init__(self, secrets: Sequence[bytes], receivers: Receivers) -> None:
        self._secrets = secrets
        self._receivers = receivers
        self._tls = ssl.create_default_context()

    def send(self, due: DueDelivery) -> Attempt:
        url = due.webhook.url
        try:
            check_url(url, self._receivers)
        except ValueError:  # The operator has allowed it once, and no longer does.
            return self._failed(due, "address_refused")
        body = message_body(due)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"neoserve/{VERSION}",
            **signed_headers(self._secrets, message_id(due), int(time.time()), body),
        }
        try:
            answer = post(urlsplit(url), body, headers, self._receivers, self._tls)
        except DeliveryFailed as failure:
            return self._failed(due, failure.code)
        if 200 <= answer.status < 300:
            return Attempt(settlement=Settlement.DELIVERED, status=answer.status)
        if answer.status == GONE:
            return Attempt(settlement=Settlement.REFUSED, status=GONE, code="rejected")
        code: Code = "redirected" if answer.status < 400 else "rejected"
        return self._failed(due, code, answer.status, answer.retry_after)

    @staticmethod
    def _failed(
        due: DueDelivery, code: Code, status: int | None = None, retry_after: str | None = None
    ) -> Attempt:
        seconds = seconds_until_next(due.attempt, retry_after)
        if seconds is None:
            return Attempt(settlement=Settlement.GIVEN_UP, status=status, code=code)
        return Attempt(settlement=Settlement.FAILED, status=status, code=code, retry_seconds=seconds)
