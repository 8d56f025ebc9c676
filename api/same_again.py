"""The job that a retry records."""

from __future__ import annotations

import hashlib

from tasks.jobs.models import Job, NewJob
from tasks.jobs.origin import Origin


def same_again(ended: Job, idempotency_key: str | None, job_id: str, origin: Origin) -> NewJob:
    """All that its client asked for, and what was chosen then: model and seed."""
    deadline_seconds = None
    if ended.deadline_at is not None:
        deadline_seconds = round(ended.deadline_at - ended.created_at, 3)
    return NewJob(
        **{**ended.spec(), "id": job_id, "retry_of": ended.id},
        deadline_seconds=deadline_seconds,
        idempotency_key=idempotency_key,
        body_digest=_digest(ended.id) if idempotency_key else "",
        origin=origin,
    )


def _digest(ended_id: str) -> str:
    """No request body has it: a key that was used for another job, or for none, belongs to that."""
    return hashlib.sha256(f"retry {ended_id}".encode()).hexdigest()
