"""Answers only when the server has its file on disk: WAITAOF, of Valkey and of Redis 7.2 or newer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import ResponseError

from tasks.jobs.errors import NotDurable, StoreUnavailable
from tasks.jobs.script import Scripts, unavailable_as_such

#: With `appendfsync everysec` a write is on disk after a second, or two when the disk is busy.
DISK_SECONDS = 4.0

NEEDS = "Durable submits need appendonly yes, and Valkey or Redis 7.2 or newer"
TOO_EARLY = (
    "The server says of every write at once that it is on disk, and not with appendfsync always: some "
    "versions are wrong about that with everysec. Set appendfsync always, and allow CONFIG GET"
)


class Durability:
    """Thread-safe. Each use holds one connection until the disk has what was written."""

    def __init__(self, client: redis.Redis, scripts: Scripts, namespace: str) -> None:
        self._client = client
        self._scripts = scripts
        self._key = f"{namespace}:durable"
        self._able = False

    def check(self) -> None:
        """Raises NotDurable when the server keeps no append-only file or cannot tell of it, and
        StoreUnavailable. May take two seconds."""
        with self._connection() as connection:
            self._check(connection)

    @contextmanager
    def writing(self) -> Iterator[Scripts]:
        """What these scripts write or read is on disk when the block ends without an error.

        Raises NotDurable, at the begin: then nothing was written; and StoreUnavailable.
        """
        with self._connection() as connection:
            if not self._able:
                self._check(connection)
            yield self._scripts.on(connection)
            # The server waits for what this connection wrote last. A script that has found an older job has
            # written nothing, and that job need not be on disk either.
            if not self._written(connection, DISK_SECONDS):
                raise StoreUnavailable(f"The server's disk has not taken the job within {DISK_SECONDS:g} s.")

    @contextmanager
    def _connection(self) -> Iterator[redis.Redis]:
        with unavailable_as_such():
            client: redis.Redis = self._client.client()  # type: ignore[no-untyped-call]
            with client as connection:
                yield connection

    def _check(self, connection: redis.Redis) -> None:
        if not self._written(connection, DISK_SECONDS):
            raise NotDurable(f"The server's disk has taken nothing within {DISK_SECONDS:g} s.")
        # With everysec, the next write is on disk a second later, and a server that says otherwise has not
        # looked: Redis 7.4 (its pull request 13793) and Valkey 9.1 are so.
        if _policy(connection) != "always" and self._written(connection, 0.001):
            raise NotDurable(TOO_EARLY)
        self._able = True

    def _written(self, connection: redis.Redis, seconds: float) -> bool:
        """Write something, and return whether the server says that it is on disk in time."""
        connection.set(self._key, "")
        try:
            on_disk, _ = connection.waitaof(1, 0, round(seconds * 1000))
        except ResponseError as error:
            self._able = False
            raise NotDurable(f"{NEEDS}: {error}") from error
        return bool(on_disk)


def _policy(connection: redis.Redis) -> str:
    """`appendfsync`; empty where nobody may know."""
    try:
        return str(connection.config_get("appendfsync").get("appendfsync", ""))
    except ResponseError:
        return ""
