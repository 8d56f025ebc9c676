"""Random interleavings of clients, workers, lost replies and time, on a job store of the caller's choice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tasks.jobs.errors import JobGone, JobNotFound
from tasks.jobs.models import Job, JobStatus, Priority
from tasks.jobs.protocol import Claim, Outcome, Piece, StepEntry, Verdict
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT, make_new_job
from tests.job_model import LEASE, RETENTION, TOMBSTONE, JobModel, ModelJob
from tests.job_steps import events, streamed_text, succeeded
from tests.time_travel import let_pass

WORKERS = st.sampled_from(["worker-1", "worker-2"])
OWNERS = st.sampled_from(["", "owner-1"])
PRIORITIES = st.sampled_from([Priority.HIGH, Priority.LOW])
DEADLINES = st.sampled_from([None, None, 550.0])
ACTS = st.sampled_from(["step", "step", "finish", "release"])
LOST = st.booleans()  # Whether the reply is lost: the call is made again.
PICK = st.integers(0, 1000)
TEXTS = st.text(alphabet="aé😀\0", max_size=4)

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

    @initialize(jobs=st.lists(st.tuples(OWNERS, PRIORITIES, DEADLINES), min_size=2, max_size=6))
    def submit_some(self, jobs: list[tuple[str, Priority, float | None]]) -> None:
        for owner, priority, deadline in jobs:
            self.submit_one(owner, priority, deadline, lost=False)

    @rule(owner=OWNERS, priority=PRIORITIES, deadline=DEADLINES, lost=LOST)
    def submit(self, owner: str, priority: Priority, deadline: float | None, lost: bool) -> None:
        self.submit_one(owner, priority, deadline, lost)

    def submit_one(self, owner: str, priority: Priority, deadline: float | None, lost: bool) -> None:
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

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK)
    def submit_again_with_the_same_key(self, pick: int) -> None:
        job = self.pick_job(pick)
        if self.model.phase(job) == "there":
            new = make_new_job(owner=job.owner, idempotency_key=f"key-{job.id}")
            again = self.store.submit(new, max_queued=1000)
            assert (again.job.id, again.created) == (job.id, False)

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK, lost=LOST)
    def cancel(self, pick: int, lost: bool) -> None:
        job = self.pick_job(pick)
        if self.model.phase(job) == "there":
            expected = self.model.cancel(job.id)
            assert self.twice_if(lost, lambda: self.store.cancel(job.id, owner=job.owner)) == expected

    # -- workers

    @rule(worker=WORKERS, again=st.sampled_from([False, False, False, True]), lost=LOST)
    def claim(self, worker: str, again: bool, lost: bool) -> None:
        if not again:
            self.last_nonce[worker] = f"nonce-{next(self.numbers)}"
        self.claim_with(worker, self.last_nonce[worker], lost)

    def claim_with(self, worker: str, nonce: str, lost: bool) -> None:
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

    @precondition(lambda self: self.claims)
    @rule(pick=PICK, act=ACTS, text=TEXTS, skip=st.sampled_from([0, 0, 0, 1, -1]), lost=LOST)
    def write(self, pick: int, act: str, text: str, skip: int, lost: bool) -> None:
        """By the holder of any claim that was ever made: most of them have lost it."""
        worker, taken = self.claims[-1 - min(pick % 8, pick % len(self.claims))]
        job = self.model.jobs[taken.job.id]
        if act == "step":
            self.step(worker, taken, max(0, len(job.text) + skip), text, lost)
        elif act == "finish":
            self.finish(worker, taken, job.text if job.ended else job.text + text, lost)
        elif self.model.phase(job) == "there":
            expected = self.model.release(worker, job.id, taken.attempt)
            assert expected == self.twice_if(lost, lambda: self.store.release(worker, job.id, taken.attempt))

    def step(self, worker: str, taken: Claim, from_index: int, text: str, lost: bool) -> None:
        job = self.model.jobs[taken.job.id]
        piece = Piece(row=0, from_index=from_index, text=text)
        entry = StepEntry(job_id=job.id, attempt=taken.attempt, started=True, num_tokens=1, pieces=(piece,))
        expected = self.model.step(worker, job.id, taken.attempt, from_index, text)
        (answer,) = self.twice_if(
            lost and text != "", lambda: self.store.step(worker, [entry], lease_seconds=LEASE)
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

    @rule(seconds=st.sampled_from([100.0, 100.0, 400.0, 400.0, 700.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.what_ended_has_not_changed()
        let_pass(self.store, seconds)
        self.model.now += seconds
        self.ended = {id: aged(job, seconds) for id, job in self.ended.items()}
        self.what_ended_has_not_changed()

    @precondition(lambda self: any(job.held for job in self.model.jobs.values()))
    @rule()
    def a_lease_passes_and_somebody_reaps(self) -> None:
        self.time_passes(LEASE + 100)
        self.reap()

    @rule()
    def reap(self) -> None:
        self.model.reap()
        assert self.store.reap().num_queued == sum(job.waits for job in self.model.jobs.values())

    # -- what always holds

    @invariant()
    def every_job_is_as_the_model_says(self) -> None:
        positions: dict[Priority, list[int]] = {priority: [] for priority in Priority}
        for job in self.model.jobs.values():
            if job.id in self.ended:
                continue  # Looked at again when time passes.
            read = self.read(job)
            assert (read.status, read.attempt, read.losses) == (job.status, job.attempt, job.losses)
            assert (read.expires_at is not None) == job.ended
            assert (read.position is not None) == job.waits
            if read.position is not None:
                positions[job.priority].append(read.position)
            self.check_text(job, read)
        for taken in positions.values():
            assert sorted(taken) == list(range(1, len(taken) + 1))

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
        assert all(job.ended for job in self.model.jobs.values())
        self.every_job_is_as_the_model_says()
        for _ in range(2):
            self.time_passes(RETENTION + TOMBSTONE)
            self.reap()
        left = {key.removeprefix(f"{self.store.namespace}:") for key in self.store.client.scan_iter("*")}
        assert left <= {"sequence", "counters", "seen", f"passes:{FINGERPRINT}", f"served:{FINGERPRINT}"}

    # -- help

    def twice_if(self, lost: bool, call: Callable[[], Answer]) -> Answer:
        """A lost reply: the call is made again, and must be answered as it was."""
        answer = call()
        if lost:
            assert call() == answer
        return answer

    def pick_job(self, pick: int) -> ModelJob:
        jobs = list(self.model.jobs.values())
        return jobs[pick % len(jobs)]

    def read(self, job: ModelJob) -> Job:
        return self.store.get(job.id, owner=job.owner)

    def members(self, key: Any) -> list[str]:
        return list(self.store.client.zrange(key, 0, -1))


def aged(job: Job, seconds: float) -> Job:
    """As it reads when its times have been moved into the past."""
    names = ("created_at", "deadline_at", "started_at", "first_token_at", "completed_at", "expires_at")
    times = {name: getattr(job, name) for name in names}
    return replace(
        job, **{name: round(time - seconds, 3) for name, time in times.items() if time is not None}
    )
