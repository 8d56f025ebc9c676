"""What has come of telling a webhook, as the service shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neoserve.decode import Json, as_time


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event's; `status` and `code` are of the last attempt. Over when `next_at` is None."""

    event: str
    attempts: int
    status: int | None
    code: str | None
    next_at: datetime | None
    delivered_at: datetime | None

    @classmethod
    def read_all(cls, log: list[Json] | None) -> tuple[Delivery, ...]:
        return tuple(
            cls(
                event=raw["event"],
                attempts=raw["attempts"],
                status=raw.get("status"),
                code=raw.get("code"),
                next_at=as_time(raw.get("next_at")),
                delivered_at=as_time(raw.get("delivered_at")),
            )
            for raw in log or ()
        )
