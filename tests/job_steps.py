"""The steps of a job's life as tests write them."""

from __future__ import annotations

import uuid
from typing import Any

from tasks.jobs.event_feed import Feed
from tasks.jobs.keys import events_key
from tasks.jobs.models import Job, JobStatus, Row
from tasks.jobs.protocol import Claim, Outcome, Piece, StepAnswer, StepEntry
from tasks.jobs.store import JobStore
from tasks.jobs.upkeep import LEASE_SECONDS
from tests.factories import FINGERPRINT, make_new_job
from tests.waiting import wait_until

WORKER = "worker-1"

#: Kinds of keys that are no job's own, and so are left when all jobs are gone.
OF_ALL_JOBS = frozenset(
    ["counters", "flow", "passes", "schemas", "seen", "sequence", "served", "turns", "worker", "workers"],
)


def submit(store: JobStore, id: str | None = None, **changes: Any) -> Job:
    return store.submit(make_new_job(id, **changes), max_queued=1000).job


def claim(store: JobStore, worker: str = WORKER, *, lease_seconds: float = LEASE_SECONDS) -> Claim:
    taken = store.claim_next(worker, FINGERPRINT, uuid.uuid4().hex, lease_seconds=lease_seconds)
    assert taken is not None
    return taken


def claimed_ids(store: JobStore, worker: str = WORKER) -> list[str]:
    """Claims until nothing waits."""
    ids = []
    while taken := store.claim_next(worker, FINGERPRINT, uuid.uuid4().hex):
        ids.append(taken.job.id)
    return ids


def step(
    store: JobStore,
    taken: Claim,
    *pieces: Piece,
    worker: str = WORKER,
    started: bool = True,
    num_tokens: int = 0,
    lease_seconds: float = LEASE_SECONDS,
) -> StepAnswer:
    entry = StepEntry(
        job_id=taken.job.id, attempt=taken.attempt, started=started, num_tokens=num_tokens, pieces=pieces
    )
    return store.step(worker, [entry], lease_seconds=lease_seconds).answers[0]


def text_piece(text: str, from_index: int = 0, row: int = 0) -> Piece:
    return Piece(row=row, from_index=from_index, text=text)


def succeeded(*texts: str) -> Outcome:
    rows = tuple(Row(text=text, finish_reason="length", num_tokens=len(text)) for text in texts)
    return Outcome(status=JobStatus.SUCCEEDED, rows=rows, num_tokens=sum(map(len, texts)))


def finish(store: JobStore, taken: Claim, *texts: str, worker: str = WORKER) -> bool:
    return store.finish(worker, taken.job.id, taken.attempt, succeeded(*texts or ("text",)))


def events(store: JobStore, job_id: str) -> list[dict[str, str]]:
    entries: Any = store.client.xrange(events_key(store.namespace, job_id))
    return [fields for _, fields in entries]


def streamed_text(store: JobStore, job_id: str, attempt: int, row: int = 0) -> str:
    return "".join(
        event["text"]
        for event in events(store, job_id)
        if (event["event"], event["attempt"], event.get("index")) == ("token", str(attempt), str(row))
    )


def read_texts(feed: Feed, number: int) -> list[str]:
    """What the events hold of so many tokens."""
    texts: list[str] = []

    def read() -> bool:
        texts.extend(event.text for event in feed.read(0.2).events)
        return len(texts) >= number

    wait_until(read, f"{number} events are read")
    return texts


def contents(store: JobStore) -> dict[str, Any]:
    """Every key of the server with its value."""
    read = {
        "hash": store.client.hgetall,
        "zset": lambda key: store.client.zrange(key, 0, -1, withscores=True),
        "set": store.client.smembers,
        "list": lambda key: store.client.lrange(key, 0, -1),
        "stream": store.client.xrange,
        "string": store.client.get,
    }
    return {key: read[store.client.type(key)](key) for key in store.client.scan_iter("*")}
