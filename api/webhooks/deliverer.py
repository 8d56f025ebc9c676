"""Takes what is due and sends it; one runs in every API process, none leads."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

import redis

from api.webhooks.pace import Pace
from api.webhooks.schedule import MAX_ATTEMPTS
from api.webhooks.sender import Attempt
from tasks.jobs.errors import JobsError
from tasks.jobs.log_line import LogLine
from tasks.jobs.stoppable_thread import StoppableThread
from tasks.jobs.webhook_queue import DueDelivery, Settlement, WebhookQueue

logger = logging.getLogger(__name__)

#: So late a delivery begins at most, where there is room.
LOOK_SECONDS = 0.5

#: At the same time, of this process; most of these threads only wait for an answer.
MAX_DELIVERIES = 128

#: How long a process that ends waits for the answers to what it has sent.
STOP_SECONDS = 6.0


class Sender(Protocol):
    def send(self, due: DueDelivery) -> Attempt: ...


class WebhookDeliverer(StoppableThread):
    """What it has begun and not ended, another process sends again when the lease is over."""

    def __init__(self, queue: WebhookQueue, sender: Sender) -> None:
        super().__init__("webhooks")
        self._queue = queue
        self._sender = sender
        self._lock = threading.Condition()
        self._pace = Pace()
        self._wake = threading.Event()

    def stop(self) -> None:
        super().stop()
        with self._lock:
            self._lock.wait_for(lambda: not self._pace.num_under_way, STOP_SECONDS)

    def _interrupt(self) -> None:
        self._wake.set()

    def _run(self) -> None:
        reachable = True
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._begin_due()
            except (JobsError, redis.RedisError) as error:
                if reachable:
                    logger.warning("Webhooks wait for Redis: %s", error)
                reachable = False
            else:
                reachable = True
            if not self._stopping.is_set():
                self._wake.wait(LOOK_SECONDS)

    def _begin_due(self) -> None:
        with self._lock:
            most, room = MAX_DELIVERIES - self._pace.num_under_way, self._pace.room()
        if most <= 0:
            return
        for due in self._queue.claim(most=most, room=room, max_attempts=MAX_ATTEMPTS):
            with self._lock:
                self._pace.begin(due.webhook.host)
            threading.Thread(target=self._deliver, args=(due,), name="webhook", daemon=True).start()

    def _deliver(self, due: DueDelivery) -> None:
        started = time.monotonic()
        try:
            attempt = self._sender.send(due)
            _log(due, attempt)
            self._queue.settle(
                due,
                attempt.settlement,
                status=attempt.status,
                code=attempt.code,
                retry_seconds=attempt.retry_seconds,
            )
        except (JobsError, redis.RedisError) as error:
            logger.warning(LogLine(f"a delivery of {due.id} is sent again: {error}", job_id=due.id))
        finally:
            with self._lock:
                self._pace.end(due.webhook.host, time.monotonic() - started)
                self._lock.notify_all()
            self._wake.set()


def _log(due: DueDelivery, attempt: Attempt) -> None:
    """The host at most: the rest of the address may be a secret."""
    if attempt.settlement is Settlement.DELIVERED:
        return
    over = "" if attempt.settlement is Settlement.FAILED else ", which was the last"
    what = f"webhook {due.event} to {due.webhook.host} failed in attempt {due.attempt}{over}"
    line = LogLine(what, job_id=due.id, code=attempt.code)
    logger.log(logging.WARNING if over else logging.INFO, line)
