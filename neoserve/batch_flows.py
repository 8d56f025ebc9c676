"""Batches: submit them, wait for them, read what has come of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from neoserve import requests
from neoserve.batch import Batch, BatchItem
from neoserve.decode import Page, reading
from neoserve.effects import Call, Emit, Flow, Read
from neoserve.errors import NotEnded, Unreachable
from neoserve.exchange import ask_for, open_body
from neoserve.lines import Lines
from neoserve.patience import Patience, Persistence
from neoserve.polling import end_of, poll

#: What a batch is made of: texts, requests as `POST /predict` takes them, or JSON lines, in a file or not.
Prompts = Iterable[str | Mapping[str, Any]] | Path | bytes

JSON_LINES = "application/jsonl"

#: Thousands of items are checked and recorded before the answer.
RECORDING_SECONDS = 60.0


def as_body(prompts: Prompts, options: Mapping[str, Any]) -> bytes:
    """JSON lines. Raises OSError for a file that cannot be read."""
    head = requests.as_lines([{"batch": options}] if options else [])
    if isinstance(prompts, Path):
        return head + prompts.read_bytes()
    if isinstance(prompts, bytes):
        return head + prompts
    if isinstance(prompts, str | Mapping):
        raise TypeError("a batch takes an iterable of texts or requests, or a pathlib.Path")
    return head + requests.as_lines({"text": each} if isinstance(each, str) else each for each in prompts)


def submit(body: bytes, key: str, persistence: Persistence) -> Flow[Batch]:
    call = requests.record_bytes("/batches", body, JSON_LINES, key)
    call = replace(call, wait_seconds=RECORDING_SECONDS)
    return (yield from ask_for(Batch.read, call, Patience(persistence)))


def get(batch_id: str, persistence: Persistence) -> Flow[Batch]:
    call = requests.get(requests.path_to("batches", batch_id))
    return (yield from ask_for(Batch.read, call, Patience(persistence)))


def cancel(batch_id: str, persistence: Persistence) -> Flow[Batch]:
    call = Call(method="DELETE", path=requests.path_to("batches", batch_id))
    return (yield from ask_for(Batch.read, call, Patience(persistence)))


def wait_for(batch_id: str, timeout: float | None, persistence: Persistence) -> Flow[Batch]:
    """The batch that has ended, in whatever way. Raises NotEnded."""
    end = end_of(timeout, persistence)
    batch = yield from poll(requests.path_to("batches", batch_id), Batch.read, end, persistence)
    if not batch.ended:
        raise NotEnded(f"Batch {batch_id} has not ended in the time given; it goes on.", batch=batch)
    return batch


def results(batch_id: str, persistence: Persistence) -> Flow[None]:
    """Emits every item once and in order; goes on where a connection broke off."""
    total = (yield from get(batch_id, persistence)).counts.total
    call = requests.get(requests.path_to("batches", batch_id, "/results"))
    patience = Patience(persistence)
    told = 0
    while told < total:
        yield from open_body(call, patience)
        lines = Lines()
        while isinstance(piece := (yield Read()), bytes):
            with reading():
                items = [BatchItem.read(json.loads(line)) for line in lines.take(piece)]
            for item in items:
                if item.index == told:
                    told += 1
                    patience.restore()
                    yield Emit(item)
        if told < total:
            lost = piece if isinstance(piece, Unreachable) else Unreachable("The results broke off.")
            yield patience.pause(lost)


def run(body: bytes, key: str, timeout: float | None, persistence: Persistence) -> Flow[None]:
    """Emits every item of a new batch, when all have ended."""
    batch = yield from submit(body, key, persistence)
    yield from wait_for(batch.id, timeout, persistence)
    yield from results(batch.id, persistence)


def list_all(page: int | None, persistence: Persistence) -> Flow[None]:
    """Emits every batch in store, the newest first."""
    path: str | None = requests.with_query("/batches", limit=page)
    while path:
        found = yield from ask_for(
            Page.reader("batches", Batch.read), requests.get(path), Patience(persistence)
        )
        for each in found.items:
            yield Emit(each)
        path = requests.next_page("batches", found.next)
