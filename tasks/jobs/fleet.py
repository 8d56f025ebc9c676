"""Who works on what, and what waits: the whole deployment at one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.jobs.backlog import Backlog, decode_backlog
from tasks.jobs.models import JobStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveWorker:
    """A worker with a heartbeat within its lease."""

    id: str
    fingerprint: str
    num_slots: int
    num_held: int  #: Jobs that it has claimed.
    num_running: int  #: Of these, those in its engine.


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedModel:
    """A model with a live worker or with jobs that wait for one."""

    fingerprint: str
    model: str  #: Its name; empty when the server has lost its card.
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class Batches:
    """Those that have not ended."""

    num_running: int
    num_items: int  #: Of theirs that have not ended.
    num_queued: int  #: Of these, jobs that wait for a worker.


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    num_held: int  #: Claimed jobs, also of workers that have just died; those that run are among them.
    num_running: int
    oldest_queued_seconds: float  #: Age of the oldest unclaimed job; 0 when none waits.
    ended: Mapping[JobStatus, int]  #: Since the namespace exists.
    workers: Sequence[LiveWorker]
    models: Sequence[QueuedModel]
    batches: Batches


def decode_fleet(answer: Sequence[Any]) -> Fleet:
    """From the answer of `fleet.lua`."""
    num_held, num_running, oldest_ms, ended, workers, models, batches = answer
    return Fleet(
        num_held=num_held,
        num_running=num_running,
        oldest_queued_seconds=oldest_ms / 1000,
        ended={
            JobStatus(status): int(number) for status, number in zip(ended[::2], ended[1::2], strict=True)
        },
        workers=[_decode_worker(*entry) for entry in workers],
        models=[_decode_model(*entry) for entry in models],
        batches=Batches(*batches),
    )


def _decode_worker(
    worker: str, fingerprint: str, num_slots: str | None, num_held: int, num_running: int
) -> LiveWorker:
    return LiveWorker(
        id=worker,
        fingerprint=fingerprint,
        num_slots=int(num_slots or 0),
        num_held=num_held,
        num_running=num_running,
    )


def _decode_model(fingerprint: str, card: str | None, backlog: Sequence[Any]) -> QueuedModel:
    name = json.loads(card)["model"] if card else ""
    return QueuedModel(fingerprint=fingerprint, model=name, backlog=decode_backlog(backlog))
