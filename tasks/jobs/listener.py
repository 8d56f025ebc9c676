"""One connection that tells all waiters of a process which jobs and batches have ended, and how."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from tasks.jobs.connection import connect
from tasks.jobs.errors import OtherVersion
from tasks.jobs.keys import ended_channel
from tasks.jobs.models import Job
from tasks.jobs.record import decode_job
from tasks.jobs.stoppable_thread import StoppableThread

logger = logging.getLogger(__name__)

#: A waiter looks at the record itself at least this often: pub/sub may lose a message unseen.
RECHECK_SECONDS = 5.0
RECHECK_WHILE_AWAY_SECONDS = 1.0

RECONNECT_SECONDS = 0.5
POLL_SECONDS = 0.25
MAX_UNANSWERED_PINGS = 2


class Waiter:
    """Waits for word about one job; what is true stands in its record."""

    def __init__(self, listener: JobListener) -> None:
        self._listener = listener
        self._hint = threading.Event()
        self._record = ""

    def wait(self, timeout: float) -> bool:
        """True on a hint that the job has ended. False after `timeout` seconds, or earlier when it is time
        to look at the record."""
        limit = RECHECK_SECONDS if self._listener.connected else RECHECK_WHILE_AWAY_SECONDS
        hinted = self._hint.wait(min(timeout, limit))
        self._hint.clear()
        return hinted

    def ended(self) -> Job | None:
        """The job as it has ended, if the hint brought it; else read the record."""
        return _decode(self._record) if self._record else None

    def wake(self, record: str = "") -> None:
        self._record = record or self._record
        self._hint.set()


class JobListener(StoppableThread):
    """Subscribes to the ends of jobs, whatever happens to the connection. Thread-safe.

    It need not be connected, nor started, for waiters to work.
    """

    def __init__(self, url: str, namespace: str = "neoserve") -> None:
        super().__init__("job-listener")
        self._client = connect(url, max_connections=1)
        self._channel = ended_channel(namespace)
        self._lock = threading.Lock()
        self._waiters: dict[str, set[Waiter]] = {}
        self._connected = threading.Event()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def stop(self) -> None:
        """Wakes all waiters, then closes the connection; more than once is fine."""
        super().stop()
        self._client.close()

    def _interrupt(self) -> None:
        self._wake_all()

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Waiter]:
        """Read the record after this and before the first wait: then no end is missed."""
        waiter = Waiter(self)
        with self._lock:
            self._waiters.setdefault(job_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters[job_id].discard(waiter)
                if not self._waiters[job_id]:
                    del self._waiters[job_id]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    self._listen(pubsub)
            except redis.RedisError as error:
                if self._connected.is_set():
                    logger.warning(
                        "Redis no longer tells which jobs have ended, asking it instead: %s", error
                    )
                self._connected.clear()
                self._wake_all()
                self._stopping.wait(RECONNECT_SECONDS)

    def _listen(self, pubsub: redis.client.PubSub) -> None:
        pubsub.subscribe(self._channel)
        while not self._stopping.is_set():
            message = pubsub.get_message(timeout=POLL_SECONDS)
            if message is None:
                # redis-py sends pings on a silent connection, but does not mind when none is answered.
                if pubsub.health_check_response_counter > MAX_UNANSWERED_PINGS:
                    raise redis.ConnectionError("The server does not answer.")
            elif message["type"] == "message":
                self._wake(message["data"])
            elif message["type"] == "subscribe":
                self._connected.set()
                self._wake_all()  # What ended while nobody listened will not be told again.

    def _wake(self, message: str) -> None:
        job_id, _, record = message.partition(" ")
        with self._lock:
            for waiter in self._waiters.get(job_id, ()):
                waiter.wake(record)

    def _wake_all(self) -> None:
        with self._lock:
            for waiters in self._waiters.values():
                for waiter in waiters:
                    waiter.wake()


def _decode(record: str) -> Job | None:
    try:
        return decode_job(json.loads(record))
    except (ValueError, KeyError, TypeError, OtherVersion):
        return None  # Anybody may publish; the record itself decides.
