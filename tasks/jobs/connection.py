"""How this project connects to Redis or Valkey."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks.jobs.deadline import LIMITED

CONNECT_TIMEOUT_SECONDS = 3.0
#: Shorter than a lease: on a connection that the network has forgotten a worker claims again within 10 s.
SOCKET_TIMEOUT_SECONDS = 8.0
HEALTH_CHECK_SECONDS = 5


def connect(
    url: str, *, max_connections: int = 64, socket_timeout: float = SOCKET_TIMEOUT_SECONDS
) -> redis.Redis:
    """A thread-safe client that decodes to str; it connects at the first command.

    A thread that finds all `max_connections` in use waits for one, at most as long as for a connect. See
    time_limit() for limits on more than one silence of the server.
    Raises ValueError when `url` is not a Redis URL.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=CONNECT_TIMEOUT_SECONDS,
        decode_responses=True,
        # What somebody else wrote must not end the thread that reads it.
        encoding_errors="replace",
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=socket_timeout,
        socket_keepalive=True,
        health_check_interval=HEALTH_CHECK_SECONDS,
        # redis-py repeats a command ten times by default; who repeats what is the caller's decision.
        retry=Retry(NoBackoff(), 0),
    )
    pool.connection_class = LIMITED[pool.connection_class]
    return redis.Redis.from_pool(pool)


def redact(url: str) -> str:
    """`url` without its user, password and query, for logs and messages."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"***@{host}" if "@" in parts.netloc else host, parts.path, "", ""))


def absence(client: redis.Redis, url: str) -> str | None:
    """One line for operators when the server at `url` cannot be used now."""
    try:
        client.ping()
    except (redis.AuthenticationError, redis.BusyLoadingError, redis.InvalidResponse) as error:
        return f"the server at {redact(url)} cannot be used: {error}: waiting for it; check it and REDIS_URL"
    except (redis.ConnectionError, redis.TimeoutError):
        return f"no Redis or Valkey answers at {redact(url)}: waiting for it; start one or set REDIS_URL"
    except redis.RedisError:
        return None  # An answer, if only a refusal.
    return None
