"""Clients that record jobs as the API does, where the API is not what is tested."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.ring import Ring
from tasks.jobs.store import JobStore
from tests.factories import make_new_job, make_parameters
from tests.faults import canaries
from tests.faults.ledger import Ledger, Promise

RETRY_SECONDS = 0.1


class StoreClient:
    """Repeats a submit until it is answered: the same id makes one job, however often it arrives."""

    def __init__(self, store: JobStore, ring: Ring, ledger: Ledger) -> None:
        self._store = store
        self._ring = ring
        self._ledger = ledger
        self._seeds = itertools.count()

    def submit(self, num_tokens: int, *, prompt: str = "Once upon a time", poisoned: bool = False) -> str:
        job_id, seed, prompt = uuid.uuid4().hex, next(self._seeds), f"{prompt} {canaries.PROMPT}"
        parameters = make_parameters(max_new_tokens=num_tokens, seed=seed)
        job = make_new_job(job_id, fingerprint="scripted", text=prompt, parameters=parameters)
        while not self._accepted(
            job_id, lambda: self._store.submit(job, max_queued=10**6, ring=self._ring.message(job_id))
        ):
            threading.Event().wait(RETRY_SECONDS)
        self._ledger.accepted(
            Promise(job_id=job_id, prompt=prompt, num_tokens=num_tokens, seed=seed, poisoned=poisoned)
        )
        return job_id

    @staticmethod
    def _accepted(job_id: str, submit: Callable[[], object]) -> bool:
        try:
            submit()
        except StoreUnavailable:
            return False
        return True


class Load:
    """A thread that submits at a steady pace, until the end of the `with`."""

    def __init__(self, submit: Callable[[], object], per_second: float) -> None:
        self._submit = submit
        self._gap = 1 / per_second
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        due = monotonic()
        while not self._stopped.wait(max(0.0, due - monotonic())):
            self._submit()
            due += self._gap
