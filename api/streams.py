"""The streams that are open in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from api.company import Company, Line
from api.errors import Busy
from api.hangups import Client, Hangups
from api.job_events import end_id
from api.job_stream import ASK_SECONDS, JobStream, Tell
from api.metrics import ApiMetrics
from api.seats import Seats
from tasks.jobs.deadline import time_limit
from tasks.jobs.event_feed import Feed
from tasks.jobs.event_hub import EventHub
from tasks.jobs.events import START, EventKind
from tasks.jobs.log_line import LogLine, about
from tasks.jobs.models import Job
from tasks.jobs.store import JobStore

logger = logging.getLogger(__name__)


class OpenStream:
    """Iterate over it once, and close it in any case."""

    def __init__(self, stream: JobStream, ending: ExitStack) -> None:
        self._stream = stream
        self._ending = ending

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    @property
    def end(self) -> str:
        """How it has ended; see JobStream."""
        return self._stream.end

    def close(self) -> None:
        """More than once is fine."""
        self._ending.close()


class Streams:
    """Each takes a seat, as waiting calls do."""

    def __init__(
        self,
        store: JobStore,
        hub: EventHub,
        seats: Seats,
        company: Company,
        hangups: Hangups,
        metrics: ApiMetrics,
        *,
        draining: threading.Event,
    ) -> None:
        self._store = store
        self._hub = hub
        self._seats = seats
        self._company = company
        self._hangups = hangups
        self._metrics = metrics
        self._draining = draining
        self._open: set[JobStream] = set()
        self._lock = threading.Lock()

    def open(
        self, find: Callable[[], Job], *, after: str | None, line: Line | None, tell: Tell
    ) -> OpenStream | None:
        """The events of the job that `find` returns, behind the one with the id `after`; None: that was the
        last. `tell` says in which words.

        Raises Busy, before `find` is called, and what `find` raises.
        """
        if not self._seats.take():
            raise Busy()
        with ExitStack() as ending:
            ending.callback(self._seats.give_back)
            job = find()
            self._follow(job)
            feed = ending.enter_context(self._hub.follow(job.id, after or START))
            with time_limit(ASK_SECONDS):
                first = feed.catch_up()
            if after is not None and was_the_last(job, feed, after):
                return None
            guest = ending.enter_context(self._company.stays(job))
            stream = JobStream(self._store, job, feed, first, draining=self._draining, tell=tell)

            def part() -> None:
                guest.gone = stream.end == "gone"

            ending.callback(part)
            if line is not None:
                client = Client(line.connection, stream.hang_up, stream.ask)
                ending.enter_context(self._hangups.watch(client))
            ending.enter_context(self._among_open(stream))
            return OpenStream(stream, ending.pop_all())

    def _follow(self, job: Job) -> None:
        if not (job.followed or job.status.terminal):
            with time_limit(ASK_SECONDS):
                self._store.follow(job.id)

    def wake_all(self) -> None:
        """Every stream looks whether the server drains."""
        with self._lock:
            for stream in self._open:
                stream.wake()

    @contextmanager
    def _among_open(self, stream: JobStream) -> Iterator[None]:
        start = time.monotonic()
        with self._lock:
            self._open.add(stream)
        self._metrics.open_streams.inc()
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(stream)
            self._metrics.open_streams.dec()
            self._metrics.streams.labels(stream.end).inc()
            seconds = round(time.monotonic() - start, 3)
            logger.info(LogLine(**about(stream.job), stream=stream.end, seconds=seconds))


def was_the_last(job: Job, feed: Feed, after: str) -> bool:
    if feed.resumed is not None:
        return feed.resumed.kind is EventKind.DONE
    return job.status.terminal and after == end_id(job)
