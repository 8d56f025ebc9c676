"""The job record: the one truth about every job. The rules are in the scripts; this is their typed face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import redis

from tasks.jobs.backlog import decode_backlog, placed
from tasks.jobs.card import ModelCatalog
from tasks.jobs.counters import Counters
from tasks.jobs.durability import Durability
from tasks.jobs.errors import (
    IdempotencyKeyReused,
    JobGone,
    JobNotFound,
    QueueFull,
    StoreUnavailable,
    TooManyJobs,
)
from tasks.jobs.fleet import Fleet, decode_fleet
from tasks.jobs.job_list import JobLists
from tasks.jobs.models import Job, JobError, NewJob
from tasks.jobs.protocol import (
    CancelVerdict,
    Claim,
    FinishEntry,
    Outcome,
    RingMessage,
    StepAnswer,
    StepEntry,
    StepReply,
    Submitted,
    Verdict,
)
from tasks.jobs.record import check_schema, decode_job, encode_new_job, encode_rows, queued_job
from tasks.jobs.script import Argument, Scripts, unavailable_as_such
from tasks.jobs.stats import StoreStats, decode_stats
from tasks.jobs.upkeep import LEASE_SECONDS, MAX_LOSSES, Upkeep

NO_RING = RingMessage(list="", entry="")


class JobStore(ModelCatalog, JobLists, Upkeep):
    """Every call is one atomic script and safe to repeat after a lost reply.

    Every method raises StoreUnavailable when the server cannot be used. Thread-safe. With `durable`, a job
    that was submitted is on the server's disk.
    """

    def __init__(self, client: redis.Redis, namespace: str = "neoserve", *, durable: bool = False) -> None:
        super().__init__(Scripts(client, namespace))
        self.client = client
        self.namespace = namespace
        self._durability = Durability(client, self._scripts, namespace) if durable else None

    def submit(
        self, new: NewJob, *, max_queued: int, max_of_owner: int = 0, ring: RingMessage = NO_RING
    ) -> Submitted:
        """Record a job and ring for it, or find the one that its idempotency key made before.

        `max_of_owner`: jobs of an owner that may be unfinished at the same time; 0 is no limit.
        Raises QueueFull, TooManyJobs, IdempotencyKeyReused, OtherVersion (of that earlier job), or NotDurable
        at the first use; then nothing is recorded.
        """
        limits = max_queued, max_of_owner
        if self._durability is None:
            return self._submit(self._scripts, new, limits, ring)
        with self._durability.writing() as scripts:
            return self._submit(scripts, new, limits, ring)

    def _submit(self, scripts: Scripts, new: NewJob, limits: tuple[int, int], ring: RingMessage) -> Submitted:
        max_queued, max_of_owner = limits
        fields = encode_new_job(new).items()
        flat = [part for pair in fields for part in pair]
        verdict, *rest = scripts.run("submit", *limits, new.body_digest, ring.list, ring.entry, *flat)
        if verdict == "crowded":
            raise TooManyJobs(limit=max_of_owner, unfinished=rest[0])
        if verdict == "full":
            queued, flat_backlog = rest
            free_in_seconds = decode_backlog(flat_backlog).seconds_until_gone(queued - max_queued + 1)
            raise QueueFull(limit=max_queued, queued=queued, free_in_seconds=free_in_seconds)
        if verdict == "reused":
            raise IdempotencyKeyReused(*rest)
        if verdict == "created":
            created_ms, deadline_ms, *place = rest
            job = placed(queued_job(new, created_ms, deadline_ms), *place)
            return Submitted(job=job, created=True)
        return Submitted(job=placed(decode_job(rest[0]), *rest[1:]), created=verdict == "repeated")

    def expected_wait(self, new: NewJob) -> float | None:
        """Seconds until a job would start that is submitted now; 0 where workers have room. None when
        nothing was measured."""
        num_ahead, flat = self._scripts.run("outlook", new.fingerprint, new.priority, new.owner)
        return decode_backlog(flat).wait_seconds(new.priority, num_ahead, new.parameters.max_tokens)

    def get(self, job_id: str, *, owner: str = "") -> Job:
        """A job that waits beyond its deadline has expired, here at the latest.

        Raises JobNotFound (another owner's job is not found either), JobGone or OtherVersion.
        """
        verdict, *rest = self._scripts.run("get", job_id, owner)
        if verdict == "overdue":
            with suppress(StoreUnavailable):  # A server that takes no writes can still be read.
                self._scripts.run("expire", job_id)
                verdict, *rest = self._scripts.run("get", job_id, owner)
        if verdict in ("gone", "unknown"):
            _raise_missing(verdict)
        return placed(decode_job(rest[0]), *rest[1:])

    def cancel(self, job_id: str, *, owner: str = "") -> CancelVerdict:
        """A waiting job is canceled at once; a held one by its worker.

        Raises JobNotFound, JobGone or OtherVersion.
        """
        verdict, *schema = self._scripts.run("cancel", job_id, owner)
        if verdict in ("gone", "unknown"):
            _raise_missing(verdict)
        for version in schema:
            check_schema(version)
        return CancelVerdict(verdict)

    def follow(self, job_id: str) -> None:
        """Somebody reads the events of a job: its worker tells of it more often. Without effect once it has
        ended."""
        self._scripts.run("follow", job_id)

    def claim_next(
        self, worker: str, fingerprint: str, nonce: str, *, lease_seconds: float = LEASE_SECONDS
    ) -> Claim | None:
        """Take the next job for that model, or None; the same nonce again gets the job it got, while held.

        Jobs of versions that are not next to this one stay in the queue.
        """
        flat = self._scripts.run("claim", worker, fingerprint, nonce, round(lease_seconds * 1000))
        if flat is None:
            return None
        job = decode_job(flat)
        return Claim(job=job, attempt=job.attempt, alone=job.losses >= MAX_LOSSES - 1)

    def step(
        self, worker: str, entries: Sequence[StepEntry], *, lease_seconds: float = LEASE_SECONDS
    ) -> StepReply:
        """Heartbeat of a worker: renew the leases of exactly these attempts, and append their new text.

        A piece whose `from_index` is not the stored length is skipped; the answer says where to go on.
        """
        flat = [part for entry in entries for part in _flatten(entry)]
        registered, answers = self._scripts.run("step", worker, round(lease_seconds * 1000), *flat)
        return StepReply(
            registered=bool(registered),
            answers=tuple(
                StepAnswer(
                    verdict=Verdict(verdict), stored=tuple(map(int, lengths.split())), followed=bool(followed)
                )
                for verdict, lengths, followed in answers
            ),
        )

    def finish(self, worker: str, job_id: str, attempt: int, outcome: Outcome) -> bool:
        """The one terminal write, and what the stream still lacks. False: another attempt owns the job."""
        return self.finish_all(worker, [FinishEntry(job_id=job_id, attempt=attempt, outcome=outcome)])[0]

    def finish_all(self, worker: str, entries: Sequence[FinishEntry]) -> list[bool]:
        """`finish` for each, in one round trip; each is atomic, and all may be repeated after an error."""
        calls = [(worker, *_flatten_finish(entry)) for entry in entries]
        return [bool(answer) for answer in self._scripts.run_each("finish", calls)]

    def release(self, worker: str, job_id: str, attempt: int) -> bool:
        """Hand a job back to its place in the queue, without a loss. False: it is another attempt's."""
        return bool(self._scripts.run("release", worker, job_id, attempt))

    def stats(self) -> StoreStats:
        return decode_stats(self._scripts.run("stats"))

    def counters(self) -> Counters:
        flat = self._scripts.run("counters")
        return Counters(dict(zip(flat[::2], flat[1::2], strict=True)))

    def fleet(self) -> Fleet:
        return decode_fleet(self._scripts.run("fleet"))

    def check_durability(self) -> None:
        """Raises NotDurable when submits are to be durable and the server cannot do that."""
        if self._durability is not None:
            self._durability.check()

    def ping(self) -> None:
        with unavailable_as_such():
            self.client.ping()


def _flatten(entry: StepEntry) -> Iterator[Argument]:
    yield from (entry.job_id, entry.attempt, int(entry.started), entry.num_tokens)
    yield from (entry.ages.started_ms, entry.ages.first_token_ms, len(entry.pieces))
    for piece in entry.pieces:
        yield from (piece.row, piece.from_index, len(piece.text), piece.text)


def _flatten_finish(entry: FinishEntry) -> Iterator[Argument]:
    outcome, error = entry.outcome, entry.outcome.error or JobError(code="", detail="")
    yield from (
        entry.job_id,
        entry.attempt,
        outcome.status.value,
        error.code,
        error.detail,
        outcome.num_tokens,
    )
    yield from (outcome.ages.started_ms, outcome.ages.first_token_ms, encode_rows(outcome.rows))
    yield from (row.text for row in outcome.rows)


def _raise_missing(verdict: Any) -> NoReturn:
    if verdict == "gone":
        raise JobGone
    raise JobNotFound
