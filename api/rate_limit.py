"""How often a key may submit: what makes jobs is counted, looking at them is not."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import redis
from flask import Flask, Response, g, request
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.errors import RateLimited
from api.rate import Rate
from api.service import STORE_SECONDS
from tasks.jobs.deadline import time_limit
from tasks.jobs.script import unavailable_as_such

#: Endpoints whose requests are counted.
COUNTED = frozenset(
    {
        "batches.create_batch",
        "jobs.create_job",
        "jobs.predict",
        "jobs.retry_job",
        "openai.create_completion",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an owner has left of its rate after one submit."""

    rate: Rate
    allowed: bool  #: That one.
    remaining: int
    seconds: int  #: Until there are more again.

    def headers(self) -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"submits";q={self.rate.amount};w={self.rate.seconds}',
            "RateLimit": f'"submits";r={self.remaining};t={self.seconds}',
        }


class RateLimit:
    """Counts the submits of each owner in a window that slides; all API processes count together."""

    def __init__(self, rate: Rate, client: redis.Redis, namespace: str) -> None:
        self._rate = rate
        self._item = RateLimitItemPerSecond(rate.amount, rate.seconds)
        storage = RedisStorage(
            "redis://", connection_pool=client.connection_pool, key_prefix=f"{namespace}:rate"
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def count(self, owner: str) -> Allowance:
        """One more submit of this owner. Raises StoreUnavailable."""
        with unavailable_as_such(), time_limit(STORE_SECONDS):
            allowed = self._limiter.hit(self._item, owner)
            stats = self._limiter.get_window_stats(self._item, owner)
        seconds = max(1, math.ceil(stats.reset_time - time.time()))
        return Allowance(rate=self._rate, allowed=allowed, remaining=stats.remaining, seconds=seconds)


def register_rate_limit(app: Flask, limit: RateLimit) -> None:
    """Behind the authentication."""

    def count() -> None:
        """Raises RateLimited and StoreUnavailable."""
        g.rate = {}
        # OPTIONS makes nothing, and a browser's has no key: all together would soon have used up nobody's.
        if request.endpoint in COUNTED and request.method == "POST":
            allowance = limit.count(g.owner)
            g.rate = allowance.headers()
            if not allowance.allowed:
                raise RateLimited(allowance.rate, allowance.seconds)

    def tell(response: Response) -> Response:
        response.headers.update(g.get("rate", {}))
        return response

    app.before_request(count)
    app.after_request(tell)
