"""The clients that stay with a job, and what becomes of it when they hang up."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from api.hangups import Client, Hangups
from tasks.jobs.attendance import Attendance
from tasks.jobs.deadline import time_limit
from tasks.jobs.errors import JobGone, JobNotFound, OtherVersion, StoreUnavailable
from tasks.jobs.log_line import LogLine, about
from tasks.jobs.models import Job
from tasks.jobs.store import JobStore

logger = logging.getLogger(__name__)

#: An interim answer that every client of HTTP/1.1 passes over.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: How long to tell the store of a client that has come or gone.
TELL_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Line:
    """The connection of a request."""

    connection: socket.socket
    takes_interim_answers: bool  #: Those of HTTP/1.0 do not.


def line_of(environ: Mapping[str, Any]) -> Line | None:
    """None where the server does not show the connection; then nobody is seen to hang up."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return None
    return Line(connection, environ.get("SERVER_PROTOCOL") != "HTTP/1.0")


class Company:
    """Watches clients, and cancels a job that wants it when its last client has hung up, wherever the others
    wait: a repeated request with the same idempotency key must not lose its job to the first one's end."""

    def __init__(self, store: JobStore, hangups: Hangups) -> None:
        self._store = store
        self._hangups = hangups
        self._attendance = Attendance(store)

    @contextmanager
    def waits(self, job: Job, line: Line | None, wake: Callable[[], None]) -> Iterator[Client | None]:
        """A client waits for the answer to its request. It is not watched where that would change nothing."""
        if line is None or not job.cancel_on_disconnect:
            yield None
            return

        def probe() -> None:
            if line.takes_interim_answers:
                line.connection.send(CONTINUE, socket.MSG_DONTWAIT)
            else:  # It cannot be asked, and most of them are proxies, which close both ways.
                client.hung_up()

        client = Client(line.connection, wake, probe)
        with self._hangups.watch(client), self.stays(job) as guest:
            try:
                yield client
            finally:
                guest.gone = client.gone

    @contextmanager
    def stays(self, job: Job) -> Iterator[Guest]:
        """Set `gone` before the end if the client has hung up."""
        guest = Guest(self._attendance, job)
        guest.renew()
        try:
            yield guest
        finally:
            self._part(guest)

    def _part(self, guest: Guest) -> None:
        job = guest.job
        if not job.cancel_on_disconnect:
            return
        try:
            with time_limit(TELL_SECONDS):
                if self._attendance.leave(job.id, guest.token) == 0 and guest.gone:
                    verdict = self._store.cancel(job.id, owner=job.owner)
                    logger.info(LogLine(f"its last client has hung up: {verdict.value}", **about(job)))
        except (JobNotFound, JobGone, OtherVersion):
            return
        except StoreUnavailable as error:
            logger.warning(LogLine(f"a client has left, and Redis could not be told: {error}", **about(job)))


class Guest:
    """One client of one job."""

    def __init__(self, attendance: Attendance, job: Job) -> None:
        self._attendance = attendance
        self.job = job
        self.token = secrets.token_hex(8)
        self.gone = False

    def renew(self) -> None:
        """At least once in a lease."""
        if not self.job.cancel_on_disconnect:
            return
        try:
            with time_limit(TELL_SECONDS):
                self._attendance.attend(self.job.id, self.token)
        except StoreUnavailable as error:
            logger.warning(
                LogLine(f"a client waits, and Redis could not be told: {error}", **about(self.job))
            )
