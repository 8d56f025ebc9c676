"""Celery's Redis transport, which survives what is no message."""

from __future__ import annotations

import logging
import time
import traceback
from typing import Any

from kombu.connection import resolve_aliases
from kombu.transport.redis import Channel, Transport
from kombu.utils.json import loads
from redis.exceptions import ResponseError

from tasks.jobs.names import QUEUE_NAME
from tasks.worker.ring_entry import ring_of

log = logging.getLogger(__name__)

#: Before the next try, where the server is there and refuses: its disk is full, or it is a replica now.
REFUSED_PAUSE_SECONDS = 0.5

#: What kombu's lines call it: with the class in front, the server's address looks like none.
resolve_aliases["tasks.worker.transport:RingTransport"] = "redis"

#: What decoding raises: kombu also makes dates, numbers and identifiers of whatever an entry calls so.
DECODING_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RingChannel(Channel):
    _refused = False  #: By the answer before.

    def _brpop_read(self, **options: Any) -> Any:
        """kombu lets the decoder's error through, and the server's refusals, and Celery ends the worker over
        one bad list entry or a full disk.

        A bad entry is out of the list by then. If it was a ring, the reaper rings again.
        """
        refused = False
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except DECODING_ERRORS as error:
            if not _raised_by_decoding(error):
                raise
            log.error("dropped an entry of the queue that cannot be decoded")
            return True
        except ResponseError as error:
            refused = True
            if not self._refused:
                log.warning("Redis refuses to hand out rings, asking again until it does: %s", error)
            time.sleep(REFUSED_PAUSE_SECONDS)
            return True
        finally:
            self._refused = refused

    def _receive_one(self, c: Any) -> Any:
        """A server with a full disk refuses the ping on the connection of remote commands as well."""
        try:
            return super()._receive_one(c)  # type: ignore[no-untyped-call]
        except ResponseError:
            return None


class RingTransport(Transport):
    Channel = RingChannel

    def _deliver(self, message: Any, queue: str) -> None:
        ring = ring_of(message) if queue == QUEUE_NAME else message
        if ring is None:
            log.error("dropped an entry of the queue that is no ring")
            return
        super()._deliver(ring, queue)  # type: ignore[no-untyped-call]


def _raised_by_decoding(error: Exception) -> bool:
    return any(frame.f_code is loads.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))
