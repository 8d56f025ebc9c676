"""The clients that stay with a job, and whether they have hung up."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from api.guests import Guest, Guests
from api.hangups import Client, Hangups
from tasks.jobs.models import Job

#: An interim answer that every client of HTTP/1.1 passes over.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


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
    """Watches the clients that wait, and has the store know of those without whom a job is canceled, wherever
    the others wait: a repeated request with the same idempotency key must not lose its job to the first one's
    end."""

    def __init__(self, hangups: Hangups, guests: Guests) -> None:
        self._hangups = hangups
        self._guests = guests

    @contextmanager
    def waits(self, job: Job, line: Line | None, wake: Callable[[], None]) -> Iterator[Client | None]:
        """A client waits for the answer to its request, which the end of the job is to be."""
        with self.sits(line, wake) as client, self.stays(job) as guest:
            try:
                yield client
            finally:
                guest.gone = client is not None and client.gone

    @contextmanager
    def sits(self, line: Line | None, wake: Callable[[], None]) -> Iterator[Client | None]:
        """A client waits for the answer to its request. If it hangs up, `wake` is called."""
        if line is None:
            yield None
            return

        def probe() -> None:
            if line.takes_interim_answers:
                line.connection.send(CONTINUE, socket.MSG_DONTWAIT)
            else:  # It cannot be asked, and most of them are proxies, which close both ways.
                client.hung_up()

        client = Client(line.connection, wake, probe)
        with self._hangups.watch(client):
            yield client

    @contextmanager
    def stays(self, job: Job) -> Iterator[Guest]:
        """Set `gone` before the end if the client has hung up."""
        if job.status.terminal or not job.cancel_on_disconnect:
            yield Guest(job)
            return
        with self._guests.stays(job) as guest:
            yield guest
