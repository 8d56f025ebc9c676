"""What the job store should do, in plain Python: the model that random interleavings are compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.jobs.models import Priority
from tasks.jobs.protocol import Claim, Verdict

# Time passes by hundreds of seconds, so the time that the test itself takes changes nothing.
LEASE = 350.0
PATIENCE = 600.0
RETENTION = 3650
TOMBSTONE = 24 * 3600.0
MAX_LOSSES = 3


@dataclass
class ModelJob:
    id: str
    owner: str
    priority: Priority
    deadline_at: float | None
    status: str = "queued"
    worker: str = ""
    attempt: int = 0
    losses: int = 0
    lease_until: float = 0.0
    look_at: float = 0.0  #: When the reaper looks at it while it waits.
    cancel_requested: bool = False
    text: str = ""  #: Of the current attempt.
    ended_at: float | None = None

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def waits(self) -> bool:
        return not self.ended and not self.worker

    @property
    def held(self) -> bool:
        return not self.ended and bool(self.worker)


@dataclass
class JobModel:
    now: float = 0.0
    last_seen: float = -1e9  #: When a worker was last alive.
    jobs: dict[str, ModelJob] = field(default_factory=dict)

    def submit(self, id: str, owner: str, priority: Priority, deadline: float | None) -> None:
        job = ModelJob(id, owner, priority, None if deadline is None else self.now + deadline)
        self.jobs[id] = job
        self._wait(job)

    def claim(self, worker: str, taken: Claim | None) -> None:
        """The store chose `taken`: it must be one that may be chosen, and None only when none may be."""
        self.last_seen = self.now
        claimable = [job for job in self.jobs.values() if job.waits and not self._late(job)]
        if taken is None:
            assert not claimable, "a job waits and nobody gets it"
        else:
            job = self.jobs[taken.job.id]
            first = next(j for j in claimable if (j.owner, j.priority) == (job.owner, job.priority))
            assert job is first, "an owner's jobs of one priority are claimed in the order of submit"
            assert taken.attempt == job.attempt + 1
            assert taken.alone == (job.losses >= MAX_LOSSES - 1)
            job.worker, job.attempt, job.lease_until, job.text = worker, taken.attempt, self.now + LEASE, ""

    def expire_in_front_of_claim(self, expired: set[str]) -> None:
        """A claim may end jobs that it finds past their deadline, and whoever reads one does."""
        for id in expired:
            job = self.jobs[id]
            assert job.waits
            assert self._late(job)
            self._end(job, "expired")

    def step(self, worker: str, id: str, attempt: int, from_index: int, text: str) -> Verdict:
        self.last_seen = self.now
        job = self.jobs[id]
        if not self._holds(job, worker, attempt):
            return Verdict.LOST
        job.lease_until, job.status = self.now + LEASE, "running"
        if len(job.text) == from_index:
            job.text += text
        if job.cancel_requested:
            return Verdict.CANCEL
        return Verdict.DEADLINE if self._late(job) else Verdict.OK

    def finish(self, worker: str, id: str, attempt: int, text: str) -> bool:
        job = self.jobs[id]
        if not self._holds(job, worker, attempt):
            return (job.status, job.worker, job.attempt) == ("succeeded", worker, attempt)
        job.text = text
        self._end(job, "succeeded", worker)
        return True

    def release(self, worker: str, id: str, attempt: int) -> bool:
        job = self.jobs[id]
        if not self._holds(job, worker, attempt):
            return job.attempt == attempt and not job.worker
        if job.cancel_requested:
            self._end(job, "canceled")
        else:
            self._wait(job)
        return True

    def cancel(self, id: str) -> str:
        job = self.jobs[id]
        if job.ended:
            return "canceled" if job.status == "canceled" else "finished"
        if job.held:
            job.cancel_requested = True
            return "requested"
        self._end(job, "canceled")
        return "canceled"

    def reap(self) -> None:
        for job in self.jobs.values():
            if job.held and job.lease_until <= self.now:
                self._lose(job)
            elif job.waits and job.look_at <= self.now:
                self._look_at(job)

    def phase(self, job: ModelJob) -> str:
        age = 0.0 if job.ended_at is None else self.now - job.ended_at
        if age <= RETENTION:
            return "there"
        return "gone" if age <= RETENTION + TOMBSTONE else "forgotten"

    def is_overdue(self, job: ModelJob) -> bool:
        return job.waits and self._late(job)

    def _lose(self, job: ModelJob) -> None:
        job.losses += 1
        if job.cancel_requested:
            self._end(job, "canceled")
        elif self._late(job):
            self._end(job, "failed" if job.status == "running" else "expired")
        elif job.losses >= MAX_LOSSES and job.status == "running":
            self._end(job, "failed")
        else:
            self._wait(job)

    def _look_at(self, job: ModelJob) -> None:
        if job.deadline_at is not None:
            self._end(job, "expired")
        elif self.last_seen + PATIENCE > self.now:
            job.look_at = self.last_seen + PATIENCE
        else:
            self._end(job, "failed")

    def _wait(self, job: ModelJob) -> None:
        job.status, job.worker = "queued", ""
        job.look_at = self.now + PATIENCE if job.deadline_at is None else job.deadline_at

    def _end(self, job: ModelJob, status: str, worker: str = "") -> None:
        job.status, job.worker, job.ended_at = status, worker, self.now

    def _late(self, job: ModelJob) -> bool:
        return job.deadline_at is not None and job.deadline_at <= self.now

    @staticmethod
    def _holds(job: ModelJob, worker: str, attempt: int) -> bool:
        return job.held and (job.worker, job.attempt) == (worker, attempt)
