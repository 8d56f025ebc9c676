"""The job object that clients see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response

from tasks.jobs.batch import ItemResult
from tasks.jobs.models import Job, JobStatus
from tasks.jobs.record import as_dict


def json_response(body: Mapping[str, Any], status: int = 200, mimetype: str = "application/json") -> Response:
    return Response(compact_json(body), status, mimetype=mimetype)


def compact_json(body: Mapping[str, Any]) -> str:
    """It ends in a newline, so that a shell prompt after curl starts on its own line."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def render_job(job: Job) -> dict[str, Any]:
    """Every member is always present; what is not known or does not apply is null."""
    return {
        "id": job.id,
        "status": job.status.value,
        "created_at": render_time(job.created_at),
        "started_at": render_time(job.started_at),
        "completed_at": render_time(job.completed_at),
        "expires_at": render_time(job.expires_at),
        "attempt": job.attempt,
        "priority": job.priority.value,
        "model": job.model,
        "parameters": as_dict(job.parameters),
        "queue": render_queue(job),
        "progress": render_progress(job),
        "result": render_result(job),
        "usage": render_usage(job),
        "metrics": render_metrics(job),
        "error": as_dict(job.error) if job.error else None,
        "deadline_at": render_time(job.deadline_at),
        "ttl_s": job.ttl_seconds,
        "cancel_on_disconnect": job.cancel_on_disconnect,
        "retry_of": job.retry_of,
        "batch_id": job.batch_id,
        "urls": {
            "self": f"/jobs/{job.id}",
            "cancel": f"/jobs/{job.id}/cancel",
            "events": f"/jobs/{job.id}/events",
            "retry": f"/jobs/{job.id}/retry",
        },
        "metadata": dict(job.metadata),
    }


def render_time(seconds: float | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, `2026-11-22T10:00:00.123Z`."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render_queue(job: Job) -> dict[str, float | None] | None:
    if job.status is not JobStatus.QUEUED:
        return None
    eta_seconds = None if job.eta_seconds is None else round(job.eta_seconds, 1)
    return {"position": job.position, "eta_s": eta_seconds}


def render_progress(job: Job) -> dict[str, Any] | None:
    if job.status is not JobStatus.RUNNING:
        return None
    return {"tokens": job.num_tokens, "max_new_tokens": job.parameters.max_tokens}


def render_result(job: Job | ItemResult) -> list[dict[str, Any]] | None:
    if not job.rows:
        return None
    prompt = job.text if job.parameters.return_full_text else ""
    return [{"generated_text": prompt + row.text, "finish_reason": row.finish_reason} for row in job.rows]


def render_usage(job: Job) -> dict[str, int] | None:
    if not job.status.terminal:
        return None
    return {
        "prompt_tokens": job.num_prompt_tokens,
        "completion_tokens": job.num_tokens,
        "total_tokens": job.num_prompt_tokens + job.num_tokens,
    }


def render_metrics(job: Job) -> dict[str, float | None]:
    return {
        "queue_s": seconds_between(job.created_at, job.started_at),
        "ttft_s": seconds_between(job.created_at, job.first_token_at),
        "generate_s": seconds_between(job.started_at, job.completed_at),
        "total_s": seconds_between(job.created_at, job.completed_at),
    }


def seconds_between(start: float | None, end: float | None) -> float | None:
    if start is None or end is None:
        return None
    return round(end - start, 3)
