"""Random interleavings of clients, workers, lost replies and time, on a job store of the caller's choice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tasks.jobs.errors import JobGone, JobNotFound
from tasks.jobs.models import Job, JobStatus, Priority
from tasks.jobs.protocol import Claim, Piece, StepEntry, Verdict
from tasks.jobs.store import JobStore
from tests import job_strategies as draw
from tests.factories import FINGERPRINT, make_new_job
from tests.job_model import LEASE, RETENTION, TOMBSTONE, JobModel, ModelJob
from tests.job_steps import events, streamed_text, succeeded
from tests.time_travel import aged, let_pass

Answer = TypeVar("Answer")


class JobMachine(RuleBasedStateMachine):
    """Compares every answer with the model's, and every state with what must hold in all of them."""

    def __init__(self, store: JobStore) -> None:
        super().__init__()
        self.store = store
        self.model = JobModel()
        self.claims: list[tuple[str, Claim]] = []  # All ever made: their holders may write at any time.
        self.numbers = itertools.count()
        self.last_nonce = {"worker-1": "", "worker-2": ""}
        self.ended: dict[str, Job] = {}  # As first read after their end.
        self.stale_finishes = 0

    # -- clients

    @initialize(jobs=draw.SOME_JOBS)
    def submit_some(self, jobs: list[draw.NewJobDrawn]) -> None:
        for job in jobs:
            self.submit(*job, lost=False)

    # Few rules with many choices: hypothesis leaves out whole rules in most of its runs.

    @rule(act=draw.CLIENT_ACTS, pick=draw.PICK, job=draw.NEW_JOB, lost=draw.LOST)
    def a_client_acts(self, act: str, pick: int, job: draw.NewJobDrawn, lost: bool) -> None:
        if act == "submit":
            self.submit(*job, lost=lost)
        elif act == "cancel":
            self.cancel(self.pick_job(pick), lost)
        else:
            self.submit_again(self.pick_job(pick))

    def submit(self, owner: str, priority: Priority, deadline: float | None, lost: bool) -> None:
        id = f"job-{next(self.numbers)}"
        new = make_new_job(
            id,
            owner=owner,
            priority=priority,
            deadline_seconds=deadline,
            ttl_seconds=RETENTION,
            idempotency_key=f"key-{id}",
        )
        self.model.submit(id, owner, priority, deadline)
        assert self.twice_if(lost, lambda: self.store.submit(new, max_queued=1000)).created

    def submit_again(self, job: ModelJob) -> None:
        if self.model.phase(job) == "there":
            new = make_new_job(owner=job.owner, idempotency_key=f"key-{job.id}")
            again = self.store.submit(new, max_queued=1000)
            assert (again.job.id, again.created) == (job.id, False)

    def cancel(self, job: ModelJob, lost: bool) -> None:
        if self.model.phase(job) == "there":
            expected = self.model.cancel(job.id)
            assert self.twice_if(lost, lambda: self.store.cancel(job.id, owner=job.owner)) == expected

    # -- workers

    @rule(worker=draw.WORKERS, claim=draw.CLAIM_ACTS, pick=draw.PICK, acts=draw.WRITES, lost=draw.LOST)
    def a_worker_acts(self, worker: str, claim: str, pick: int, acts: list[draw.Write], lost: bool) -> None:
        if claim == "with a new nonce":
            self.last_nonce[worker] = f"nonce-{next(self.numbers)}"
        if claim != "no":
            self.claim(worker, self.last_nonce[worker], lost)
        if self.claims:
            self.write(*self.claims[-1 - min(pick % 4, pick % len(self.claims))], acts, lost)

    def claim(self, worker: str, nonce: str, lost: bool) -> None:
        taken = self.twice_if(
            lost, lambda: self.store.claim_next(worker, FINGERPRINT, nonce, lease_seconds=LEASE)
        )
        late = {id for id, job in self.model.jobs.items() if job.waits and self.read(job).status == "expired"}
        self.model.expire_in_front_of_claim(late)
        if taken is not None and self.model.jobs[taken.job.id].attempt == taken.attempt:
            assert (worker, taken.job.id, taken.attempt) in [
                (w, c.job.id, c.attempt) for w, c in self.claims
            ], "only the same nonce may be answered with a claim that was made before"
            return
        self.model.claim(worker, taken)
        if taken is not None:
            self.claims.append((worker, taken))

    def write(self, worker: str, taken: Claim, acts: list[draw.Write], lost: bool) -> None:
        """By the holder of any claim that was ever made: many have lost it."""
        job = self.model.jobs[taken.job.id]
        for act, text, skip in acts:
            if act == "step":
                self.step(worker, taken, max(0, len(job.text) + skip), text, lost)
            elif act == "finish":
                self.finish(worker, taken, job.text if job.ended else job.text + text, lost)
            elif self.model.phase(job) == "there":
                self.release(worker, taken, lost)

    def release(self, worker: str, taken: Claim, lost: bool) -> None:
        claim = (worker, taken.job.id, taken.attempt)
        assert self.model.release(*claim) == self.twice_if(lost, lambda: self.store.release(*claim))

    def step(self, worker: str, taken: Claim, from_index: int, text: str, lost: bool) -> None:
        job = self.model.jobs[taken.job.id]
        piece = Piece(row=0, from_index=from_index, text=text)
        entry = StepEntry(job_id=job.id, attempt=taken.attempt, started=True, num_tokens=1, pieces=(piece,))
        expected = self.model.step(worker, job.id, taken.attempt, from_index, text)
        (answer,) = self.twice_if(
            lost and text != "", lambda: self.store.step(worker, [entry], lease_seconds=LEASE).answers
        )
        assert answer.verdict == expected
        assert answer.stored == (() if expected == Verdict.LOST else (len(job.text),))

    def finish(self, worker: str, taken: Claim, text: str, lost: bool) -> None:
        job = self.model.jobs[taken.job.id]
        expected = self.model.finish(worker, job.id, taken.attempt, text) and self.model.phase(job) == "there"
        if not expected:
            self.stale_finishes += 2 if lost else 1
        outcome = succeeded(text)
        assert expected == self.twice_if(
            lost, lambda: self.store.finish(worker, job.id, taken.attempt, outcome)
        )

    # -- time

    @rule(seconds=draw.SECONDS, reap=draw.REAP)
    def let_time_pass(self, seconds: float, reap: bool) -> None:
        self.time_passes(seconds)
        if reap:
            self.reap()

    def time_passes(self, seconds: float) -> None:
        let_pass(self.store, seconds)
        self.model.now += seconds
        self.ended = {id: aged(job, seconds) for id, job in self.ended.items()}
        self.what_ended_has_not_changed()

    def reap(self) -> None:
        self.model.reap()
        assert self.store.reap().num_queued == sum(job.waits for job in self.model.jobs.values())

    # -- what always holds

    @invariant()
    def every_job_is_as_the_model_says(self) -> None:
        overdue: set[Priority] = set()
        positions: dict[Priority, list[int]] = {priority: [] for priority in Priority}
        for job in self.model.jobs.values():
            if job.id in self.ended:
                continue  # Looked at again when time passes.
            if self.model.is_overdue(job):
                overdue.add(job.priority)
                continue  # To read it would end it.
            read = self.read(job)
            assert (read.status, read.attempt, read.losses) == (job.status, job.attempt, job.losses)
            assert (read.expires_at is not None) == job.ended
            assert (read.position is not None) == job.waits
            if read.position is not None:
                positions[job.priority].append(read.position)
            self.check_text(job, read)
        for priority, taken in positions.items():
            assert priority in overdue or sorted(taken) == list(range(1, len(taken) + 1))

    def what_ended_has_not_changed(self) -> None:
        for id, first in self.ended.items():
            job = self.model.jobs[id]
            if self.model.phase(job) == "there":
                self.check_text(job, self.read(job))
                assert self.read(job) == first
            else:
                with pytest.raises(JobGone if self.model.phase(job) == "gone" else JobNotFound):
                    self.read(job)

    def check_text(self, job: ModelJob, read: Job) -> None:
        stream = events(self.store, job.id)
        if stream:
            ends = [event for event in stream if event["event"] == "done"]
            assert len(ends) == (1 if job.ended else 0), "a job ends once"
            attempts = [int(event["attempt"]) for event in stream]
            assert attempts == sorted(attempts), "no text of an earlier attempt comes later"
            if job.held or job.status == "succeeded":
                assert streamed_text(self.store, job.id, job.attempt) == job.text
        if read.status == JobStatus.SUCCEEDED:
            assert [row.text for row in read.rows] == [job.text]
        if job.ended:
            self.ended.setdefault(job.id, read)

    @invariant()
    def every_job_is_in_one_place(self) -> None:
        jobs = self.model.jobs.values()
        waiting = sorted(job.id for job in jobs if job.waits)
        queues = self.store.client.scan_iter(f"{self.store.namespace}:queue:*")
        queued = [member[17:] for queue in queues for member in self.members(queue)]
        assert sorted(queued) == waiting
        assert sorted(self.members(f"{self.store.namespace}:queued")) == waiting
        assert sorted(self.members(f"{self.store.namespace}:due")) == waiting
        assert sorted(self.members(f"{self.store.namespace}:leases")) == sorted(
            job.id for job in jobs if job.held
        )

    @invariant()
    def late_writes_are_counted(self) -> None:
        assert self.store.stats().num_stale_finishes == self.stale_finishes

    def teardown(self) -> None:
        """Every job ends, and then nothing is left of any."""
        for _ in range(4):
            self.time_passes(5000)
            self.reap()
            self.every_job_is_as_the_model_says()
        assert all(job.ended for job in self.model.jobs.values())
        for _ in range(2):
            self.time_passes(RETENTION + TOMBSTONE)
            self.reap()
        left = {key.removeprefix(f"{self.store.namespace}:") for key in self.store.client.scan_iter("*")}
        of_models = {"seen", f"passes:{FINGERPRINT}", f"served:{FINGERPRINT}"}
        assert left <= {"sequence", "counters", "schemas"} | of_models

    # -- help

    def twice_if(self, lost: bool, call: Callable[[], Answer]) -> Answer:
        """A lost reply: the call is made again, and must be answered as it was."""
        answer = call()
        if lost:
            assert call() == answer
        return answer

    def pick_job(self, pick: int) -> ModelJob:
        """Mostly one that has not ended."""
        jobs = sorted(self.model.jobs.values(), key=lambda job: job.ended)
        return jobs[pick % min(4, len(jobs))]

    def read(self, job: ModelJob) -> Job:
        return self.store.get(job.id, owner=job.owner)

    def members(self, key: str) -> list[str]:
        return [str(member) for member in self.store.client.zrange(key, 0, -1)]
