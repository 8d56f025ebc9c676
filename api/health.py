"""The fleet as JSON, and what is wrong with it."""

from __future__ import annotations

from api.answers import health as answer
from tasks.jobs.fleet import Fleet, LiveWorker, QueuedModel
from tasks.jobs.models import JobStatus, Priority

#: Size of a job that is submitted now, where none waits to compare it with.
USUAL_TOKENS = 50


def render_fleet(fleet: Fleet, max_queued: int) -> answer.Health:
    reasons = list_reasons(fleet, max_queued)
    return {
        "status": "degraded" if reasons else "ok",
        "reasons": reasons,
        "jobs": {
            "queued": num_waiting(fleet) + fleet.num_held - fleet.num_running,
            "running": fleet.num_running,
            "succeeded": fleet.ended[JobStatus.SUCCEEDED],
            "failed": fleet.ended[JobStatus.FAILED],
            "canceled": fleet.ended[JobStatus.CANCELED],
            "expired": fleet.ended[JobStatus.EXPIRED],
        },
        "queue": {
            "depth": num_waiting(fleet),
            "limit": max_queued,
            "oldest_age_s": round(fleet.oldest_queued_seconds, 1),
        },
        "batches": {"running": fleet.batches.num_running, "items": fleet.batches.num_items},
        "models": [render_model(model, fleet) for model in fleet.models],
        "workers": [render_worker(worker, fleet) for worker in fleet.workers],
    }


def list_reasons(fleet: Fleet, max_queued: int) -> list[answer.Reason]:
    """Codes: stable, for programs."""
    served = {worker.fingerprint for worker in fleet.workers}
    found: dict[answer.Reason, bool] = {
        "no_worker": not fleet.workers,
        "model_without_worker": any(model.fingerprint not in served for model in fleet.models),
        "queue_full": num_waiting(fleet) - fleet.batches.num_queued >= max_queued,
    }
    return [reason for reason, holds in found.items() if holds]


def num_waiting(fleet: Fleet) -> int:
    return sum(model.backlog.num_jobs for model in fleet.models)


def render_model(model: QueuedModel, fleet: Fleet) -> answer.ModelLoad:
    lanes = model.backlog.lanes
    workers = workers_of(model, fleet)
    pace = model.backlog.tokens_per_second
    return {
        "model": model.model,
        "fingerprint": model.fingerprint,
        "workers": len(workers),
        "slots": sum(worker.num_slots for worker in workers),
        "jobs": sum(worker.num_held for worker in workers),
        "queued": {
            "high": lanes[Priority.HIGH].num_jobs,
            "normal": lanes[Priority.NORMAL].num_jobs,
            "low": lanes[Priority.LOW].num_jobs,
        },
        "tokens_per_s": None if pace is None else round(pace, 1),
        "estimated_wait_s": {
            "high": estimate_wait(model, Priority.HIGH, fleet),
            "normal": estimate_wait(model, Priority.NORMAL, fleet),
            "low": estimate_wait(model, Priority.LOW, fleet),
        },
    }


def workers_of(model: QueuedModel, fleet: Fleet) -> list[LiveWorker]:
    return [worker for worker in fleet.workers if worker.fingerprint == model.fingerprint]


def estimate_wait(model: QueuedModel, priority: Priority, fleet: Fleet) -> float | None:
    """Of a job that is submitted now; None without a worker and where nothing was measured."""
    workers = workers_of(model, fleet)
    if not workers:
        return None
    num_ahead = model.backlog.lanes[priority].num_jobs
    seconds = model.backlog.wait_seconds(priority, num_ahead, USUAL_TOKENS)
    return None if seconds is None else round(seconds, 1)


def render_worker(worker: LiveWorker, fleet: Fleet) -> answer.WorkerLoad:
    names = {model.fingerprint: model.model for model in fleet.models}
    return {
        "id": worker.id,
        "model": names.get(worker.fingerprint, ""),
        "slots": worker.num_slots,
        "jobs": worker.num_held,
        "running": worker.num_running,
    }
