"""The events of a job, as its stream in Redis holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis
from redis.exceptions import ResponseError

from tasks.jobs.keys import events_key
from tasks.jobs.script import unavailable_as_such

#: Before the first entry of any stream.
START = "0-0"

#: The largest that either part of an id may be. No entry has it, so it can stand for what is behind them all.
MAX_NUMBER = 2**64 - 1

#: Ids as they are told. Redis counts the entries of a millisecond from 0, so only MAX_NUMBER has 20 digits.
ID_PATTERN = rf"[0-9]{{1,19}}-([0-9]{{1,19}}|{MAX_NUMBER})"


class EventKind(StrEnum):
    STARTED = "started"
    TOKEN = "token"  # noqa: S105
    DONE = "done"
    UNKNOWN = ""  #: Of a later version, or of somebody else: to be passed over.


@dataclass(frozen=True, slots=True)
class Event:
    """`attempt` says whose it is; a token's `text` continues the row `row`."""

    id: str
    kind: EventKind
    attempt: int = 0
    row: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a stream. `at` is the entry after which it begins, None where the stream does not have it:
    then the events are those from the start of the stream."""

    at: Event | None
    events: tuple[Event, ...]
    more: bool  #: There may be further ones by now.


def order(event_id: str) -> tuple[int, int]:
    """Ids of one stream grow with this."""
    milliseconds, _, number = event_id.partition("-")
    return int(milliseconds), int(number)


def decode_event(event_id: str, fields: Mapping[str, str]) -> Event:
    try:
        kind = EventKind(fields["event"])
        attempt, row = int(fields["attempt"]), int(fields.get("index", 0))
    except (KeyError, ValueError):
        return Event(event_id, EventKind.UNKNOWN)
    return Event(event_id, kind, attempt, row, fields.get("text", ""))


class EventLog:
    """Reads streams. Thread-safe."""

    def __init__(self, client: redis.Redis, namespace: str = "neoserve") -> None:
        self._client = client
        self._namespace = namespace

    def read(self, job_id: str, after: str, count: int) -> Chunk:
        """At most `count` events after that id. Raises StoreUnavailable.

        A server that lost its last second has given its readers more than it knows of: whether it still has
        the entry `after` is part of the answer.
        """
        entries = self._range(job_id, after, count + 1)
        events = tuple(decode_event(*entry) for entry in entries)
        if after == START:
            return Chunk(Event(START, EventKind.UNKNOWN), events[:count], len(events) > count)
        if events and events[0].id == after:
            return Chunk(events[0], events[1:], len(events) > count)
        events = tuple(decode_event(*entry) for entry in self._range(job_id, START, count))
        return Chunk(None, events, len(events) == count)

    def _range(self, job_id: str, first: str, count: int) -> list[Any]:
        with unavailable_as_such():
            try:
                entries: Any = self._client.xrange(
                    events_key(self._namespace, job_id), min=first, count=count
                )
            except ResponseError as error:
                if not str(error).startswith("WRONGTYPE"):
                    raise
                return []  # Somebody has put something else in its place; the record tells the rest.
        return list(entries)
