"""gunicorn's worker with threads, and a time limit for everything that a client may be slow at.

gunicorn 27 has no setting for any of it: headers may take for ever, a body may as long as no single silence
is, an answer that nobody reads holds its thread, a new connection holds one for 5 s although it says nothing,
and the loop that accepts lingers up to 2 s over each connection it closes.
"""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from api.client_connection import BODY_BYTES_PER_SECOND, ClientConnection
from api.errors import ApiError, RequestTimeout
from api.ids import request_id
from api.problems import PROBLEM_TYPE, problem_document
from api.render import compact_json
from api.service import EXTENSION
from api.settings import ApiSettings
from tasks.jobs.log_line import LogLine

logger = logging.getLogger(__name__)

#: How long a body that nobody wants is thrown away before the connection is closed instead.
DRAIN_SECONDS = 5.0

#: What gunicorn refuses before there is a request; all else that it cannot read is a 400.
REFUSALS: Mapping[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "The address is too long."),
    errors.ExpectationFailed: (417, "The only expectation that is met is 100-continue."),
    errors.LimitRequestHeaders: (431, "The headers are too large."),
    errors.UnsupportedTransferCoding: (501, "The only transfer coding is chunked."),
}
MALFORMED = (400, "What was sent is no HTTP request.")


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]
    """Serves every client that is quick enough, and answers the others 408."""

    @property
    def settings(self) -> ApiSettings:
        settings: ApiSettings = self.wsgi.extensions[EXTENSION].settings
        return settings

    def accept(self, listener: socket.socket) -> None:
        """A connection gets a thread when it has said something."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        self.nr_conns += 1
        seconds = self.settings.header_seconds
        server = listener.getsockname()
        connection = ClientConnection(self.cfg, client, address, server, header_seconds=seconds)
        connection.timeout = time.monotonic() + seconds
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, readable)

    def set_accept_enabled(self, enabled: bool) -> None:
        """A server that ends serves whom the kernel has connected so far, and nobody connects any more: they
        would wait in the queue of a socket that is closed in the end, and be cut off."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_all(listener)
                listener.close()

    def _accept_all(self, listener: socket.socket) -> None:
        before = -1
        while before < self.nr_conns < self.worker_connections:
            before = self.nr_conns
            self.accept(listener)

    def handle(self, conn: ClientConnection) -> Any:
        """Called in a thread, which also closes: the loop would wait for the client meanwhile."""
        kept = super().handle(conn)
        if not kept:
            conn.close(graceful=True)
        return kept

    def handle_request(self, req: Any, conn: ClientConnection) -> bool:
        def too_slow() -> RequestTimeout:
            req.force_close()
            return RequestTimeout()

        require_known_coding(req)
        seconds = self.settings.body_seconds
        conn.reader.limit(seconds, too_slow, BODY_BYTES_PER_SECOND)
        conn.sock.settimeout(seconds)  # Of the answer: sendall() takes it for the whole of it.
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            return False  # Nobody reads the answer.
        finally:
            conn.reader.limit(DRAIN_SECONDS, TimeoutError)

    def handle_error(self, req: Any, client: socket.socket, _address: Any, exc: Exception) -> None:
        """A problem document for what never reaches the app."""
        status, code, detail = refusal(exc)
        name = request_id(dict(req.headers).get("X-REQUEST-ID") if req is not None else None)
        if status == 500:
            logger.exception(LogLine("no answer could be made", request_id=name, code=code))
        else:  # Never what the client sent: it may be a prompt.
            error = type(exc).__name__
            logger.info(LogLine(status=status, code=code, request_id=name, error=error))
        self.wsgi.extensions[EXTENSION].metrics.rejections.labels(code).inc()
        try:
            util.write_nonblock(client, http_answer(status, problem_document(status, code, detail, name)))
        except OSError:
            logger.debug(LogLine("the client has gone", request_id=name))

    def _cap_keepalive(self, deadline: float) -> None:
        """A server that ends waits no longer for those who have never said anything."""
        super()._cap_keepalive(deadline)
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, deadline)


def require_known_coding(req: Any) -> None:
    """gunicorn undoes the last of several and passes on the rest. Raises UnsupportedTransferCoding."""
    for name, value in req.headers:
        if name == "TRANSFER-ENCODING" and value.strip().lower() != "chunked":
            req.force_close()
            raise errors.UnsupportedTransferCoding(value)


def refusal(error: Exception) -> tuple[int, str, str]:
    """Status, code and detail."""
    if isinstance(error, ApiError):
        return error.status, error.code, error.detail
    if isinstance(error, errors.InvalidResponseHeader | errors.InvalidResponseHeaderName):
        return 500, ApiError.code, "The server has made an answer that cannot be sent."
    if isinstance(error, errors.ParseException):
        status, detail = REFUSALS.get(type(error), MALFORMED)
        return status, "invalid_request", detail
    return 500, ApiError.code, "The server has failed."


def http_answer(status: int, document: Mapping[str, Any]) -> bytes:
    """The last one of its connection."""
    body = compact_json(document).encode()
    head = (
        f"HTTP/1.1 {status} {document['title']}",
        "Connection: close",
        f"Content-Type: {PROBLEM_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {document['request_id']}",
    )
    return "\r\n".join((*head, "", "")).encode() + body
