"""The job object that clients see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from flask import Response

from api.answers import job as answer
from api.answers.webhook import WebhookDelivery as DeliveryAnswer
from api.webhooks.failure import Code
from tasks.jobs.batch import ItemResult
from tasks.jobs.models import Job, JobError, JobStatus
from tasks.jobs.record import as_dict
from tasks.jobs.webhook import WebhookDelivery


def json_response(body: Mapping[str, Any], status: int = 200, mimetype: str = "application/json") -> Response:
    return Response(compact_json(body), status, mimetype=mimetype)


def compact_json(body: Mapping[str, Any]) -> str:
    """It ends in a newline, so that a shell prompt after curl starts on its own line."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def render_job(job: Job) -> answer.Job:
    """Every member is always present; what is not known or does not apply is null."""
    return {
        "id": job.id,
        "status": job.status.value,
        "created_at": iso_time(job.created_at),
        "started_at": render_time(job.started_at),
        "completed_at": render_time(job.completed_at),
        "expires_at": render_time(job.expires_at),
        "attempt": job.attempt,
        "priority": job.priority.value,
        "model": job.model,
        "parameters": cast(answer.Parameters, as_dict(job.parameters)),
        "queue": render_queue(job),
        "progress": render_progress(job),
        "result": render_result(job),
        "usage": render_usage(job),
        "metrics": render_metrics(job),
        "error": render_error(job.error),
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
        "webhook_deliveries": render_deliveries(job.deliveries),
        "metadata": dict(job.metadata),
    }


def iso_time(seconds: float) -> str:
    """ISO 8601 in UTC with milliseconds, `2026-11-22T10:00:00.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render_time(seconds: float | None) -> str | None:
    return None if seconds is None else iso_time(seconds)


def render_error(error: JobError | None) -> answer.JobError | None:
    return {"code": error.code, "detail": error.detail} if error else None


def render_queue(job: Job) -> answer.Queue | None:
    return render_place(job) if job.status is JobStatus.QUEUED else None


def render_place(job: Job) -> answer.Queue:
    eta_seconds = None if job.eta_seconds is None else round(job.eta_seconds, 1)
    return {"position": job.position, "eta_s": eta_seconds}


def render_progress(job: Job) -> answer.Progress | None:
    if job.status is not JobStatus.RUNNING:
        return None
    return {"tokens": job.num_tokens, "max_new_tokens": job.parameters.max_tokens}


def render_deliveries(deliveries: Iterable[WebhookDelivery]) -> list[DeliveryAnswer]:
    """The log, without the address: it may hold a token."""
    return [
        {
            "event": each.event.value,
            "attempts": each.attempts,
            "status": each.status,
            "code": cast(Code | None, each.code),
            "next_at": render_time(each.next_at),
            "delivered_at": render_time(each.delivered_at),
        }
        for each in deliveries
    ]


def render_result(job: Job | ItemResult) -> list[answer.Text] | None:
    if not job.rows:
        return None
    prompt = job.text if job.parameters.return_full_text else ""
    return [
        {
            "generated_text": prompt + row.text,
            "finish_reason": cast(answer.FinishReason, row.finish_reason),
        }
        for row in job.rows
    ]


def render_usage(job: Job) -> answer.Usage | None:
    if not job.status.terminal:
        return None
    return {
        "prompt_tokens": job.num_prompt_tokens,
        "completion_tokens": job.num_tokens,
        "total_tokens": job.num_prompt_tokens + job.num_tokens,
    }


def render_metrics(job: Job) -> answer.Metrics:
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
