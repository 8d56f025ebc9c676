"""The job that a retry records."""

from __future__ import annotations

import hashlib

from tasks.jobs.models import Job, NewJob


def same_again(ended: Job, idempotency_key: str | None, job_id: str) -> NewJob:
    """All that its client asked for, and what was chosen then: model and seed."""
    deadline_seconds = None
    if ended.deadline_at is not None:
        deadline_seconds = round(ended.deadline_at - ended.created_at, 3)
    return NewJob(
        id=job_id,
        text=ended.text,
        parameters=ended.parameters,
        model=ended.model,
        fingerprint=ended.fingerprint,
        num_prompt_tokens=ended.num_prompt_tokens,
        ttl_seconds=ended.ttl_seconds,
        priority=ended.priority,
        owner=ended.owner,
        deadline_seconds=deadline_seconds,
        cancel_on_disconnect=ended.cancel_on_disconnect,
        metadata=ended.metadata,
        idempotency_key=idempotency_key,
        body_digest=_digest(ended.id) if idempotency_key else "",
        retry_of=ended.id,
    )


def _digest(ended_id: str) -> str:
    """No request body has it: a key that was used for another job, or for none, belongs to that."""
    return hashlib.sha256(f"retry {ended_id}".encode()).hexdigest()
