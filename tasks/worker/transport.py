"""Celery's Redis transport, which survives what is no message."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from kombu.connection import resolve_aliases
from kombu.transport.redis import Channel, Transport
from kombu.utils.json import loads

from tasks.jobs.names import QUEUE_NAME
from tasks.worker.ring_entry import ring_of

log = logging.getLogger(__name__)

#: What kombu's lines call it: with the class in front, the server's address looks like none.
resolve_aliases["tasks.worker.transport:RingTransport"] = "redis"

#: What decoding raises: kombu also makes dates, numbers and identifiers of whatever an entry calls so.
DECODING_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RingChannel(Channel):
    def _brpop_read(self, **options: Any) -> Any:
        """kombu lets the decoder's error through, and Celery ends the worker over one bad list entry.

        By then the entry is out of the list. If it was a ring, the reaper rings again.
        """
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except DECODING_ERRORS as error:
            if not _raised_by_decoding(error):
                raise
            log.error("dropped an entry of the queue that cannot be decoded")
            return True


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
