"""The record of the batches. The rules are in the scripts; this is their typed face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from tasks.jobs.backlog import decode_backlog, seconds_until_free
from tasks.jobs.batch import Batch, BatchItem, ItemResult, NewBatch, decode_batch, decode_item, encode_item
from tasks.jobs.batch_list import BatchLists
from tasks.jobs.durability import Durability
from tasks.jobs.errors import (
    BatchesFull,
    BatchGone,
    BatchNotFound,
    IdempotencyKeyReused,
    StoreUnavailable,
)
from tasks.jobs.protocol import CancelVerdict, RingMessage
from tasks.jobs.record import SCHEMA_VERSION, check_schema, idempotency_name, to_json
from tasks.jobs.script import Argument, Scripts, unavailable_as_such
from tasks.jobs.webhook import encode_webhook

#: How long items are kept whose batch is not started.
UPLOAD_SECONDS = 600

#: Items in one call that writes them, or reads them: whoever else asks the server waits for it.
UPLOADED_ITEMS = 512
RESULT_ITEMS = 64


class BatchStore(BatchLists):
    """A batch is uploaded in chunks and then started by one atomic script; its items become jobs a few at a
    time, each when another one ends.

    Every method raises StoreUnavailable when the server cannot be used. Thread-safe. With `durable`, a batch
    that was started is on the server's disk.
    """

    def __init__(self, client: redis.Redis, namespace: str = "neoserve", *, durable: bool = False) -> None:
        self._client = client
        self._namespace = namespace
        self._scripts = Scripts(client, namespace)
        self._durability = Durability(client, self._scripts, namespace) if durable else None

    def put(self, batch_id: str, first: int, items: Sequence[BatchItem]) -> None:
        """Upload items from index `first` on; forgotten when the batch is not started in 10 minutes."""
        numbered = enumerate(map(encode_item, items), first)
        flat: list[Argument] = [part for pair in numbered for part in pair]
        self._scripts.run("batch_put", batch_id, UPLOAD_SECONDS * 1000, *flat)

    def drop(self, batch_id: str) -> None:
        """Forget the items of a batch that is not started."""
        with unavailable_as_such():
            self._client.unlink(f"{self._namespace}:batch_items:{batch_id}")

    def start(self, new: NewBatch, *, max_unfinished: int, ring: RingMessage) -> tuple[str, bool]:
        """Record the batch whose items are uploaded, and make jobs of the first. Its id; whether it is new.

        Raises BatchesFull or IdempotencyKeyReused, or NotDurable at the first use; then nothing is recorded.
        After these, and when the key has found an older batch, the upload is dropped.
        """
        if self._durability is None:
            return self._start(self._scripts, new, max_unfinished, ring)
        with self._durability.writing() as scripts:
            return self._start(scripts, new, max_unfinished, ring)

    def _start(
        self, scripts: Scripts, new: NewBatch, max_unfinished: int, ring: RingMessage
    ) -> tuple[str, bool]:
        fields: dict[str, Argument] = {
            "schema": SCHEMA_VERSION,
            "id": new.id,
            "total": new.total,
            "ttl_seconds": new.ttl_seconds,
            "deadline_ms": round(new.deadline_seconds * 1000),
            "owner": new.owner,
            "metadata": to_json(dict(new.metadata)),
            "idempotency": idempotency_name(new.owner, new.idempotency_key),
            "ring_list": ring.list,
            "ring": ring.entry,
            **encode_webhook(new.webhook),
        }
        flat = [part for pair in fields.items() for part in pair]
        verdict, *rest = scripts.run("batch_start", max_unfinished, new.digest, *flat)
        if verdict == "full":
            unfinished, backlogs = rest
            too_many = unfinished + new.total - max_unfinished
            raise BatchesFull(
                limit=max_unfinished,
                unfinished=unfinished,
                total=new.total,
                free_in_seconds=seconds_until_free(map(decode_backlog, backlogs), too_many),
            )
        if verdict == "reused":
            raise IdempotencyKeyReused
        if verdict == "torn":
            raise StoreUnavailable("The job store has lost a part of the batch.")
        return str(rest[0]), verdict == "created"

    def get(self, batch_id: str, *, owner: str = "") -> Batch:
        """Raises BatchNotFound (another owner's batch is not found either), BatchGone or OtherVersion."""
        flat, num_running = _found(self._scripts.run("batch_get", batch_id, owner))
        return decode_batch(flat, num_running)

    def results(
        self, batch_id: str, first: int = 0, number: int = RESULT_ITEMS, *, owner: str = ""
    ) -> list[ItemResult]:
        """What has come of the items from index `first` on. Raises as `get` does."""
        flat = _found(self._scripts.run("batch_results", batch_id, owner, first, number))
        items = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
        if not all(text for _, _, text in items):
            raise StoreUnavailable("The job store has lost a part of the batch.")
        return [decode_item(index, *item) for index, item in enumerate(items, first)]

    def cancel(self, batch_id: str, *, owner: str = "") -> CancelVerdict:
        """What no worker holds is canceled at once, the rest by its workers. Raises as `get` does."""
        verdict, *schema = self._scripts.run("batch_cancel", batch_id, owner)
        if verdict in ("gone", "unknown"):
            _found([verdict])
        if schema:
            check_schema(schema[0])
        return CancelVerdict(verdict)


def _found(answer: Sequence[Any]) -> Sequence[Any]:
    verdict, *rest = answer
    if verdict == "gone":
        raise BatchGone
    if verdict == "unknown":
        raise BatchNotFound
    return rest
