"""The service's objects in a few words, for people."""

from __future__ import annotations

from dataclasses import asdict

from neoserve import Batch, Job


def describe(job: Job) -> str:
    """How the job is doing."""
    if job.status == "queued" and job.queue and job.queue.position:
        eta = job.queue.eta_s
        start = "" if eta is None else f", starts in about {eta:.0f} s"
        return f"queued, number {job.queue.position} in line{start}"
    if job.status == "running" and job.progress:
        return f"running, {job.progress.tokens} of {job.progress.max_new_tokens} tokens"
    if job.error:
        return f"{job.status}: {job.error.detail} [{job.error.code}]"
    return job.status


def describe_batch(batch: Batch) -> str:
    """How the batch is doing, with the states that its items are in."""
    counts = {name: number for name, number in asdict(batch.counts).items() if number}
    total = counts.pop("total", 0)
    states = ", ".join(f"{number} {name}" for name, number in counts.items())
    return f"{batch.status}, {batch.counts.ended} of {total} have ended" + (f": {states}" if states else "")
