"""The steps of a batch's life as tests write them."""

from __future__ import annotations

import uuid
from typing import Any

from tasks.jobs.batch import BatchCounts, BatchItem, NewBatch
from tasks.jobs.batch_store import UPLOADED_ITEMS, BatchStore
from tasks.jobs.models import Priority
from tasks.jobs.ring import RecordingRing
from tests.factories import make_new_job


def make_new_batch(id: str | None = None, *, total: int = 1, **changes: Any) -> NewBatch:
    values: dict[str, Any] = {
        "id": id or uuid.uuid4().hex,
        "total": total,
        "ttl_seconds": 3600,
        "deadline_seconds": 86400.0,
    }
    return NewBatch(**{**values, **changes})


def make_items(batch_id: str, total: int, **changes: Any) -> list[BatchItem]:
    """Their jobs are named `<batch>-<index>`."""
    values = {"priority": Priority.LOW, "ttl_seconds": 300, **changes}
    return [
        BatchItem(job=make_new_job(f"{batch_id}-{i}", text=f"prompt {i}", **values), custom_id=f"line {i}")
        for i in range(total)
    ]


def upload(batches: BatchStore, batch_id: str, total: int, **changes: Any) -> None:
    items = make_items(batch_id, total, **changes)
    for first in range(0, total, UPLOADED_ITEMS):
        batches.put(batch_id, first, items[first : first + UPLOADED_ITEMS])


def start(batches: BatchStore, new: NewBatch, *, max_unfinished: int = 100_000) -> tuple[str, bool]:
    """Of a batch that is uploaded."""
    return batches.start(new, max_unfinished=max_unfinished, ring=RecordingRing().template(new.id))


def submit_batch(batches: BatchStore, id: str, total: int, *, owner: str = "", **changes: Any) -> str:
    upload(batches, id, total, owner=owner)
    return start(batches, make_new_batch(id, total=total, owner=owner, **changes))[0]


def counts(batches: BatchStore, id: str = "b") -> dict[str, int]:
    """Those that are not 0, without the total."""
    found: BatchCounts = batches.get(id).counts
    numbers = {name: getattr(found, name) for name in BatchCounts.__slots__ if name != "total"}
    assert sum(numbers.values()) == found.total
    return {name: number for name, number in numbers.items() if number}
