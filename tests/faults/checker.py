"""Reads every record and every stream at the end and compares them with the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.jobs.errors import JobGone, JobNotFound
from tasks.jobs.keys import events_key
from tasks.jobs.models import Job, JobStatus
from tasks.jobs.store import JobStore
from tests.faults.ledger import Ledger, Promise


@dataclass(frozen=True, kw_only=True)
class Tally:
    accepted: int
    succeeded: int
    lost: int  #: Accepted, not poisoned by the test, and not succeeded.
    doubled: int  #: The result or the stream holds another text than it should, or ends more than once.
    poisoned_failed: int  #: Poisoned, and failed as `worker_lost`.
    reruns: int  #: Attempts beyond the first.
    needless: int  #: Reruns that the faults do not explain.
    losses: int  #: Times that the reaper took a job from a worker.
    stale: int  #: Late results that the record refused (its counter `stale_finishes`).


class Checker:
    """`explained` counts, for each job, the reruns that the injected faults make necessary.

    A stream lives for five minutes after its end: long runs call `look` now and then, which remembers what
    it has seen of jobs that are over.
    """

    def __init__(self, store: JobStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._over: dict[str, tuple[Job, bool]] = {}

    def look(self) -> None:
        for promise in self._ledger.promises:
            if promise.job_id in self._over:
                continue
            job = self._job(promise)
            if job is not None and job.status.terminal:
                self._over[job.id] = job, self._is_right(promise, job)

    def tally(self, explained: Mapping[str, int] | None = None) -> Tally:
        self.look()
        expected = Counter(explained or {})
        totals: Counter[str] = Counter()
        for promise in self._ledger.promises:
            job, right = self._over.get(promise.job_id) or (self._job(promise), True)
            succeeded = job is not None and job.status is JobStatus.SUCCEEDED
            totals["succeeded"] += succeeded
            totals["lost"] += not succeeded and not promise.poisoned
            totals["doubled"] += not right
            totals["poisoned_failed"] += promise.poisoned and _failed_as_lost(job)
            if job is not None:
                reruns = max(0, job.attempt - 1)
                totals["reruns"] += reruns
                totals["needless"] += max(0, reruns - expected[job.id]) if not promise.poisoned else 0
                totals["losses"] += job.losses
        return Tally(
            accepted=len(self._ledger),
            stale=self._store.stats().num_stale_finishes,
            **{name: totals[name] for name in _COUNTED},
        )

    def _job(self, promise: Promise) -> Job | None:
        try:
            return self._store.get(promise.job_id)
        except (JobNotFound, JobGone):
            return None

    def _is_right(self, promise: Promise, job: Job) -> bool:
        if job.status is not JobStatus.SUCCEEDED:
            return True
        return [row.text for row in job.rows] == [promise.expected] and self._stream_is_right(promise, job)

    def _stream_is_right(self, promise: Promise, job: Job) -> bool:
        """A reader drops what an earlier attempt sent, so the last attempt must tell everything, once."""
        events = read_stream(self._store, job.id)
        last = [fields for fields in events if fields["attempt"] == str(job.attempt)]
        told = "".join(fields["text"] for fields in last if fields["event"] == "token")
        ends = sum(fields["event"] == "done" for fields in events)
        return told == promise.expected and ends == 1


def read_stream(store: JobStore, job_id: str) -> list[dict[str, str]]:
    """The fields of each event that readers of this job have been told."""
    entries: Any = store.client.xrange(events_key(store.namespace, job_id))
    return [fields for _, fields in entries]


_COUNTED = ("succeeded", "lost", "doubled", "poisoned_failed", "reruns", "needless", "losses")


def _failed_as_lost(job: Job | None) -> bool:
    return job is not None and job.error is not None and job.error.code == "worker_lost"
