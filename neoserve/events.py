"""What a stream tells."""

from __future__ import annotations

from dataclasses import dataclass

from neoserve.job import Job


@dataclass(frozen=True, slots=True)
class Queued:
    """The job waits: its place, None once a worker has claimed it, and estimated seconds until it starts."""

    job_id: str
    position: int | None
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Started:
    """The texts begin. With an `attempt` above 1 a worker was lost: drop the tokens that came before."""

    job_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Token:
    """More of the text number `index`; one may bring several tokens of the model."""

    text: str
    index: int


@dataclass(frozen=True, slots=True)
class Done:
    """The job has ended, in whatever way: `job.status` says how. The last event."""

    job: Job


Event = Queued | Started | Token | Done
