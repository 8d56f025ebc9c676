"""The collaborators of one app, reachable from every route."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

from api.batch_submission import BatchSubmission
from api.metrics import ApiMetrics
from api.recent_fleet import RecentFleet
from api.settings import ApiSettings
from api.streams import Streams
from api.submission import Submission
from api.waiting import WaitingRoom
from tasks.jobs.store import JobStore

if TYPE_CHECKING:
    from tasks.jobs.otel import Tracer

#: How long a request may be busy with the store; together with the wait for a connection less than 12.
STORE_SECONDS = 7.0

#: Of these, how long one silence of the server may be.
STORE_SILENCE_SECONDS = 5.0

#: Keys of `app.extensions`: the Service, and what the server has to start and stop beside it.
EXTENSION = "neoserve"
BACKGROUND = "neoserve.background"


@dataclass(frozen=True, slots=True)
class Service:
    settings: ApiSettings
    store: JobStore
    metrics: ApiMetrics
    submission: Submission
    batches: BatchSubmission
    waiting: WaitingRoom
    streams: Streams
    fleet: RecentFleet
    draining: threading.Event
    tracer: Tracer | None = None

    def drain(self) -> None:
        """Be not ready, and answer everybody who waits, now or later. Idempotent."""
        self.draining.set()
        self.waiting.wake_all()
        self.streams.wake_all()


def current_service() -> Service:
    return cast(Service, current_app.extensions[EXTENSION])
