"""One connection that reads the streams of all jobs that somebody in this process follows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.typing import KeyT, StreamIdT

from tasks.jobs.event_feed import Feed
from tasks.jobs.events import Event, EventLog, decode_event, order
from tasks.jobs.keys import events_key
from tasks.jobs.stoppable_thread import StoppableThread

logger = logging.getLogger(__name__)

#: Entries of one stream in one reply.
MAX_ENTRIES = 100
#: How long one read waits for news, and so how long a new reader may look for itself; longer with more
#: streams, because every read names them all.
BLOCK_MS = 20
BLOCK_MS_PER_STREAM = 0.1
#: Between two reads, so that many streams are read together: 1,000 of them 40 times a second.
GAP_SECONDS_PER_STREAM = 0.000_025
RECONNECT_SECONDS = 0.5


class Channel:
    """One job's stream: who follows it, and up to where it was handed out."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self.feeds: set[Feed] = set()
        self.adopted = False  #: The thread reads it.


class EventHub(StoppableThread):
    """Hands every feed what its stream gets. Thread-safe.

    `client` is used by the thread alone and needs one connection. Without `start` every feed looks for
    itself.
    """

    def __init__(self, client: redis.Redis, log: EventLog, namespace: str = "neoserve") -> None:
        super().__init__("event-hub")
        self._client = client
        self._log = log
        self._namespace = namespace
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._changed = threading.Event()
        self._connected = threading.Event()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def start(self) -> None:
        """Returns at once; it need not be connected for feeds to work."""
        self._connected.set()
        super().start()

    def stop(self) -> None:
        """More than once is fine."""
        super().stop()
        self._connected.clear()
        self._client.close()

    def _interrupt(self) -> None:
        self._changed.set()

    @contextmanager
    def follow(self, job_id: str, after: str) -> Iterator[Feed]:
        """The events of a job after that id; it need not exist yet."""
        feed = Feed(self, self._log, job_id, after)
        try:
            yield feed
        finally:
            self.detach(feed)

    def attach(self, feed: Feed) -> bool:
        """False: others of its job are further, and the feed must catch up before it gets all that comes."""
        with self._lock:
            channel = self._channels.setdefault(feed.job_id, Channel(feed.last))
            channel.feeds.add(feed)
            self._changed.set()
            return order(channel.cursor) <= order(feed.last)

    def detach(self, feed: Feed) -> None:
        with self._lock:
            channel = self._channels.get(feed.job_id)
            if channel is None:
                return
            channel.feeds.discard(feed)
            if not channel.feeds:
                del self._channels[feed.job_id]

    def serves(self, feed: Feed) -> bool:
        """What comes for the feed is brought to it; it need not look for itself."""
        with self._lock:
            channel = self._channels.get(feed.job_id)
            return channel is not None and channel.adopted and feed in channel.feeds

    def _run(self) -> None:
        while not self._stopping.is_set():
            cursors = self._adopt()
            if not cursors:
                self._changed.wait()
                continue
            try:
                block = round(BLOCK_MS + BLOCK_MS_PER_STREAM * len(cursors))
                reply: Any = self._client.xread(cursors, count=MAX_ENTRIES, block=block)
            except redis.RedisError as error:
                self._lose(error)
                self._stopping.wait(RECONNECT_SECONDS)
                continue
            self._connected.set()
            self._hand_out(reply)
            self._stopping.wait(GAP_SECONDS_PER_STREAM * len(cursors))

    def _adopt(self) -> dict[KeyT, StreamIdT]:
        """Position by key, of all streams."""
        with self._lock:
            self._changed.clear()
            for channel in self._channels.values():
                channel.adopted = True
            return {
                events_key(self._namespace, job_id): channel.cursor
                for job_id, channel in self._channels.items()
            }

    def _hand_out(self, reply: Iterable[tuple[str, Any]]) -> None:
        prefix = len(events_key(self._namespace, ""))
        for key, entries in reply:
            events: list[Event] = [decode_event(*entry) for entry in entries]
            with self._lock:
                channel = self._channels.get(key[prefix:])
                # Left and followed anew meanwhile: by somebody who is elsewhere in the stream.
                if channel is None or not channel.adopted:
                    continue
                channel.cursor = events[-1].id
                for feed in channel.feeds:
                    feed.offer(events)

    def _lose(self, error: redis.RedisError) -> None:
        """The server may come back with less than it had: every feed looks where it is."""
        if self._connected.is_set():
            logger.warning("Redis no longer brings the events of jobs, asking it instead: %s", error)
        self._connected.clear()
        with self._lock:
            channels, self._channels = self._channels, {}
        for channel in channels.values():
            for feed in channel.feeds:
                feed.lost()
