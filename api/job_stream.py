"""The stream of one job to one reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from api.event_format import COMMENT
from api.overdue import seconds_until_look
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import JobGone, JobNotFound, JobsError, OtherVersion, StoreUnavailable
from tasks.jobs.event_feed import Batch, Feed
from tasks.jobs.events import Event
from tasks.jobs.models import Job
from tasks.jobs.store import JobStore

HEARTBEAT_SECONDS = 15.0
#: How often the record is read: it knows the place in the queue, and ends of which the stream does not tell.
LOOK_SECONDS = 5.0
#: How long one question to the store may take, and how long it is left alone when it cannot be used.
ASK_SECONDS = 4.0
PAUSE_SECONDS = 1.0


class Telling(Protocol):
    """Turns what is known of a job into what its reader is sent, which may be nothing."""

    done: Event | None  #: The last event, once it was read; what it carries is in the record.

    def recorded(self, events: Iterable[Event]) -> bytes:
        """The next events."""

    def queued(self, job: Job) -> bytes:
        """It may still wait."""

    def ended(self, job: Job, event_id: str) -> bytes:
        """By the event with that id."""

    def replayed(self, job: Job) -> bytes:
        """It has ended, and there are no more events than were told."""

    def forget(self) -> None:
        """The server has lost events that the reader has. Its texts are void."""

    def failed(self, error: JobsError) -> bytes:
        """The job cannot be read any more."""

    def interrupted(self) -> bytes:
        """The stream ends before its job."""


#: Makes it, for a job and the attempt whose texts the reader has (0: none).
Tell = Callable[[Job, int], Telling]


class JobStream:
    """Iterate over it for what to send, in pieces; each is to be sent at once.

    `end` says how it has ended: done, draining or error; gone as long as only the client can have ended it.
    `job` is the job as it was last read.
    """

    def __init__(
        self,
        store: JobStore,
        job: Job,
        feed: Feed,
        first: Batch,
        *,
        draining: threading.Event,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first` is what `feed` had to begin with."""
        self._store = store
        self.job = job
        self._feed = feed
        self._first = first
        self._draining = draining
        self._clock = clock
        self._told = tell(job, feed.resumed.attempt if feed.resumed else 0)
        self._look_at = self._next_look()
        self._beat_at = clock() + HEARTBEAT_SECONDS
        self._asked = self._hung_up = False
        self.end = "gone"

    def ask(self) -> None:
        """Send something soon, to see whether anybody reads. From any thread."""
        self._asked = True
        self._feed.wake()

    def hang_up(self) -> None:
        """The client has gone. From any thread."""
        self._hung_up = True
        self._feed.wake()

    def wake(self) -> None:
        """Look whether the server drains. From any thread."""
        self._feed.wake()

    def __iter__(self) -> Iterator[bytes]:
        # Never nothing: the client is to see that it is heard.
        yield self._told.queued(self.job) + self._read(self._first) or COMMENT
        while self.end == "gone" and not self._hung_up:
            if self._draining.is_set():
                self.end = "draining"
                yield self._told.interrupted()
                return
            piece = self._next_piece()
            if piece or self._asked or self._clock() >= self._beat_at:
                self._asked = False
                self._beat_at = self._clock() + HEARTBEAT_SECONDS
                yield piece or COMMENT

    def _next_piece(self) -> bytes:
        try:
            with time_limit(ASK_SECONDS):
                return self._news()
        except StoreUnavailable:
            self._feed.pause(PAUSE_SECONDS)
            return b""
        except (JobNotFound, JobGone, OtherVersion) as error:
            self.end = "error"
            return self._told.failed(error)

    def _news(self) -> bytes:
        if self._told.done is not None:
            return self._recorded_end(self._told.done.id)
        if self.job.status.terminal:
            return self._rest()
        if self._clock() >= self._look_at:
            return self._look()
        timeout = min(self._look_at, self._beat_at) - self._clock()
        return self._read(self._feed.read(max(0.0, timeout)))

    def _read(self, batch: Batch) -> bytes:
        if batch.anew:
            self._told.forget()
        return self._told.recorded(batch.events)

    def _look(self) -> bytes:
        self._look_at = self._next_look()
        self._read_record()
        return self._told.queued(self.job)

    def _next_look(self) -> float:
        return self._clock() + min(LOOK_SECONDS, seconds_until_look(self.job))

    def _recorded_end(self, event_id: str) -> bytes:
        self._read_record()
        if not self.job.status.terminal:  # The server has lost the end since.
            self._told.done = None
            return b""
        self.end = "done"
        return self._told.ended(self.job, event_id)

    def _rest(self) -> bytes:
        """Of a job that is over by its record: what the stream has, then what the record has."""
        batch = self._feed.catch_up()
        if batch.events or batch.anew:
            return self._read(batch)
        self.end = "done"
        return self._told.replayed(self.job)

    def _read_record(self) -> None:
        self.job = self._store.get(self.job.id, owner=self.job.owner)
