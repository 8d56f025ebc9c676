"""What has come of telling a webhook."""

from __future__ import annotations

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.values import DESCRIBED, Count, Time
from api.webhooks.failure import Code


@with_config(DESCRIBED)
class WebhookDelivery(TypedDict):
    """One event on its way to its receiver, whose address is not shown."""

    event: Literal["started", "completed"]
    """What it tells."""
    attempts: Count
    """Begun so far."""
    status: int | None
    """Of the receiver's last answer."""
    code: Code | None
    """What was wrong with the last attempt."""
    next_at: Time | None
    """When the next attempt is due; null when it is over."""
    delivered_at: Time | None
    """When it was delivered."""
