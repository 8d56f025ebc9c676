"""The service's own objects, read as types."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from neoserve import Batch, Counts, Failure, Health, Job, JobFailed, Place, Progress, Text, Usage
from tests.unit.neoserve.network import batch_json, job_json

CREATED = "2026-11-23T03:36:18.610Z"


def test_a_job_is_read_with_all_that_it_has() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    job = Job.read(job_json(created_at=CREATED, usage=usage, metrics={"total_s": 0.5}, later="more"))
    assert job.created_at == datetime(2026, 11, 23, 3, 36, 18, 610000, UTC)
    assert job.result == (Text("Hello, world!", "length"),)
    assert job.usage == Usage(1, 2, 3)
    assert job.metrics is not None
    assert (job.metrics.total_s, job.metrics.queue_s) == (0.5, None)
    assert job.raw["later"] == "more"
    assert (job.ended, job.succeeded) == (True, True)
    job.raise_for_failure()


def test_a_job_on_its_way_says_where_it_is() -> None:
    waiting = Job.read(job_json("queued", queue={"position": 3, "eta_s": 1.5}))
    running = Job.read(job_json("running", progress={"tokens": 7, "max_new_tokens": 50}))
    assert (waiting.queue, waiting.ended, waiting.text) == (Place(3, 1.5), False, "")
    assert running.progress == Progress(7, 50)
    running.raise_for_failure()


def test_a_job_that_failed_says_why() -> None:
    job = Job.read(job_json("failed", error={"code": "worker_lost", "detail": "Three were lost."}))
    assert job.error == Failure("worker_lost", "Three were lost.")
    with pytest.raises(JobFailed, match=r"Three were lost\. \[worker_lost\]") as caught:
        job.raise_for_failure()
    assert caught.value.job is job


def test_a_job_says_what_has_come_of_its_webhook() -> None:
    tried = {"event": "completed", "attempts": 2, "status": 500, "code": "rejected", "next_at": CREATED}
    (delivery,) = Job.read(job_json(webhook_deliveries=[tried])).webhook_deliveries
    assert delivery.next_at is not None
    assert (delivery.attempts, delivery.code, delivery.delivered_at) == (2, "rejected", None)


def test_what_was_read_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Job.read(job_json()).status = "queued"  # type: ignore[misc]


def test_a_batch_counts_its_items() -> None:
    batch = Batch.read(batch_json("running", succeeded=1, running=1))
    assert batch.counts == Counts(2, 0, 0, 1, 1, 0, 0, 0)
    assert (batch.ended, batch.counts.ended) == (False, 1)


def test_health_is_read_as_the_documentation_shows_it() -> None:
    model = {"model": "stories", "fingerprint": "f", "workers": 1, "slots": 16, "jobs": 8}
    model |= {"queued": {"high": 0}, "tokens_per_s": 6468.4, "estimated_wait_s": {"high": 0.0}}
    worker = {"id": "w", "model": "stories", "slots": 16, "jobs": 8, "running": 8}
    queue = {"depth": 224, "limit": 10000, "oldest_age_s": 4.9}
    raw = {"status": "ok", "reasons": [], "jobs": {"queued": 224}, "queue": queue}
    health = Health.read({**raw, "models": [model], "workers": [worker]})
    assert (health.queue_depth, health.models[0].tokens_per_s, health.workers[0].running) == (224, 6468.4, 8)
