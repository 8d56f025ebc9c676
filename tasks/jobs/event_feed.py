"""One reader's way through the events of a job."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tasks.jobs.events import START, Chunk, Event, EventLog, order

#: Of a reader that is slower than its job no more is kept: it reads the rest for itself when it has time.
MAX_BUFFERED = 256
#: Events in one piece of that.
MAX_READ = 256
#: How often a feed looks for itself until it is served, and while the hub is away.
LOOK_SECONDS = 0.02
LOOK_WHILE_AWAY_SECONDS = 1.0


class Hub(Protocol):
    """What brings events to feeds."""

    @property
    def connected(self) -> bool: ...

    def attach(self, feed: Feed) -> bool:
        """From now on the feed is offered what comes. False: that is not all that it has not read."""

    def serves(self, feed: Feed) -> bool:
        """The feed is attached, and its stream is being read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """With `anew`, what was read before is void: the server no longer has it."""

    events: tuple[Event, ...] = ()
    anew: bool = False


class Feed:
    """Every event once and in order. For one thread, but for `wake`, `offer` and `lost`.

    It is offered what is new, or is *behind*: then it reads the stream for itself, from where it is.
    """

    def __init__(self, hub: Hub, log: EventLog, job_id: str, after: str) -> None:
        self._hub = hub
        self._log = log
        self.job_id = job_id
        self.last = after  #: Id of the event that was read last.
        self.resumed: Event | None = None  #: The event `after`, once it was looked for and is there.
        self._news = threading.Condition()
        self._buffer: list[Event] = []
        self._behind = True
        self._attached = False
        self._woken = False

    def read(self, timeout: float) -> Batch:
        """What is new; nothing after `timeout` seconds, on `wake`, or earlier. Raises StoreUnavailable."""
        if self._behind:
            batch = self.catch_up()
            if batch.events or batch.anew:
                return batch
        return self._take(timeout)

    def catch_up(self) -> Batch:
        """What the stream has by now, in pieces; nothing: that was all. Raises StoreUnavailable."""
        with self._news:
            attached = self._attached
            # What comes during the look is kept; what both bring is known by its id.
            self._behind = not attached
        try:
            chunk = self._log.read(self.job_id, self.last, MAX_READ)
        except BaseException:
            self._fall_behind()
            raise
        batch = self._accept(chunk)
        if chunk.more:
            self._fall_behind()
        elif not attached:
            self._attach()
        return batch

    def wake(self) -> None:
        """End the wait of `read`, or the next one."""
        with self._news:
            self._woken = True
            self._news.notify()

    def pause(self, seconds: float) -> None:
        """Wait, at most until `wake`."""
        with self._news:
            if not self._woken:
                self._news.wait(seconds)
            self._woken = False

    def offer(self, events: Iterable[Event]) -> None:
        """Called by the hub."""
        with self._news:
            if self._behind:
                return
            self._buffer.extend(events)
            if len(self._buffer) > MAX_BUFFERED:
                self._buffer.clear()
                self._behind = True
            self._news.notify()

    def lost(self) -> None:
        """Called by the hub: it brings nothing more."""
        with self._news:
            self._buffer.clear()
            self._behind, self._attached = True, False
            self._news.notify()

    def _accept(self, chunk: Chunk) -> Batch:
        if chunk.at is None:
            self.last = START
            with self._news:
                self._buffer.clear()
        elif self.resumed is None:
            self.resumed = chunk.at
        if chunk.events:
            self.last = chunk.events[-1].id
        return Batch(chunk.events, anew=chunk.at is None)

    def _attach(self) -> None:
        with self._news:
            self._attached, self._behind = True, False
        if not self._hub.attach(self):
            self._fall_behind()

    def _fall_behind(self) -> None:
        with self._news:
            self._behind = True

    def _take(self, timeout: float) -> Batch:
        served = self._hub.serves(self)
        if not served:
            timeout = min(timeout, LOOK_SECONDS if self._hub.connected else LOOK_WHILE_AWAY_SECONDS)
        with self._news:
            if not (self._buffer or self._behind or self._woken):
                self._news.wait(timeout)
            self._woken = False
            last = order(self.last)
            events = tuple(event for event in self._buffer if order(event.id) > last)
            self._buffer.clear()
            self._behind = self._behind or not served
        if events:
            self.last = events[-1].id
        return Batch(events)
