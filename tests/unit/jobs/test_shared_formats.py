"""What the first version wrote, to the letter: as long as it is a neighbour, it must be understood.

A test here that fails says that a format was changed in one step: docs/operations.md, "Upgrading".
"""

from __future__ import annotations

import base64
import json

import pytest

from tasks.jobs.keys import ended_channel, events_key
from tasks.jobs.models import JobStatus
from tasks.jobs.names import QUEUE_NAME, TASK_NAME
from tasks.jobs.record import SCHEMA_VERSION, decode_job
from tasks.jobs.store import JobStore
from tasks.worker.ring_entry import ring_of
from tests.factories import make_new_job
from tests.job_steps import claim, events, finish, step, submit, text_piece

pytestmark = pytest.mark.skipif(SCHEMA_VERSION > 2, reason="the first version is no neighbour any more")

RECORD = {
    "schema": "1",
    "id": "a",
    "text": "Once",
    "parameters": '{"max_new_tokens":3,"do_sample":true,"temperature":0.9,"top_k":50,"top_p":1.0,'
    '"repetition_penalty":1.0,"stop":["."],"seed":7,"num_return_sequences":1,"return_full_text":true}',
    "num_rows": "1",
    "model": "stories",
    "fingerprint": "fp-test",
    "num_prompt_tokens": "1",
    "ttl_seconds": "3600",
    "priority": "normal",
    "owner": "",
    "deadline_ms": "",
    "metadata": "{}",
    "idempotency": "",
    "retry_of": "",
    "status": "queued",
    "attempt": "0",
    "losses": "0",
    "worker": "",
    "turn": "0",
    "member": "0000000000000001:a",
    "created_at": "1790000000000",
    "deadline_at": "",
    "lengths": "0 ",
}
ENDED = {
    "status": "succeeded",
    "attempt": "1",
    "num_tokens": "3",
    "rows": '[{"text":" upon a","finish_reason":"length","num_tokens":3}]',
    "completed_at": "1790000001000",
    "expires_at": "1790003601000",
    "error_code": "",
    "error_detail": "",
}
CARD = (
    '{"model":"stories","revision":"1","fingerprint":"fp-test","max_positions":2048,"eos_token_ids":[0],'
    '"generation_defaults":{"do_sample":true},"tokenizer_sha256":"sha","metadata":{},"schema":1}'
)
RING = {
    "body": base64.b64encode(b'[["a"], {}, {"callbacks": null}]').decode(),
    "headers": {"task": "neoserve.generate", "id": "ring-1"},
    "properties": {},
}


def flat(record: dict[str, str]) -> list[str]:
    return [part for pair in record.items() for part in pair]


def test_its_records_are_read() -> None:
    assert decode_job(flat(RECORD)).parameters.stop == (".",)
    ended = decode_job(flat({**RECORD, **ENDED}))
    assert (ended.status, ended.rows[0].text) == (JobStatus.SUCCEEDED, " upon a")


def test_its_waiting_jobs_are_claimed_and_finished(store: JobStore) -> None:
    submit(store, "a")  # For the queue's entries, which have no version of their own.
    key = f"{store.namespace}:job:a"
    store.client.delete(key)
    store.client.hset(key, mapping=RECORD)
    assert finish(store, claim(store), "text")
    assert store.get("a").rows[0].text == "text"


def test_records_hold_all_that_it_reads(store: JobStore) -> None:
    store.submit(make_new_job("a"), max_queued=1)
    assert store.client.hgetall(f"{store.namespace}:job:a").keys() >= RECORD.keys()
    finish(store, claim(store))
    assert store.client.hgetall(f"{store.namespace}:job:a").keys() >= RECORD.keys() | ENDED.keys()


def test_its_cards_are_read(store: JobStore) -> None:
    store.client.hset(f"{store.namespace}:cards", "fp-test", CARD)
    store.client.zadd(f"{store.namespace}:registered", {"fp-test": 1})
    assert store.model("stories").generation_defaults == {"do_sample": True}


def test_its_rings_are_heard() -> None:
    assert (QUEUE_NAME, TASK_NAME) == ("generate", "neoserve.generate")
    ring = ring_of(RING)
    assert ring is not None
    assert json.loads(base64.b64decode(ring["body"]))[0] == ["a"]


def test_streams_and_ends_are_told_where_and_as_it_expects(store: JobStore) -> None:
    assert events_key("neoserve", "a") == "neoserve:events:a"
    assert ended_channel("neoserve") == "neoserve:ended"
    submit(store, "a")
    taken = claim(store)
    step(store, taken, text_piece("te"))
    finish(store, taken, "text")
    assert events(store, "a") == [
        {"event": "started", "attempt": "1"},
        {"event": "token", "attempt": "1", "index": "0", "text": "te"},
        {"event": "token", "attempt": "1", "index": "0", "text": "xt"},
        {"event": "done", "attempt": "1"},
    ]
