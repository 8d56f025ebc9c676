"""Clients as they should be: they repeat a call that got no answer, with its Idempotency-Key."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Self

import httpx

from tests.faults.canaries import PROMPT, Overheard
from tests.faults.ledger import Ledger, Promise

RETRY_SECONDS = 0.1
#: Answers that say "not now".
TRANSIENT = (429, 503)
MARGIN_SECONDS = 15.0


class HttpClient:
    """Thread-safe. With `keyed` off it repeats calls without a key, as careless clients do."""

    def __init__(self, url: str, ledger: Ledger, overheard: Overheard, *, keyed: bool = True) -> None:
        self._ledger = ledger
        self._overheard = overheard
        self._keyed = keyed
        self._lock = threading.Lock()
        self._http = httpx.Client(base_url=url, limits=httpx.Limits(max_connections=None))
        self._stopped = threading.Event()
        self.num_calls = 0
        self.refusals: list[float] = []  #: Seconds until each 429 or 503.
        self.waits: list[tuple[float, str]] = []  #: Of accepted calls: seconds, and the status told.
        self.wrong: list[str] = []  #: Answers that no fault excuses.

    def call(self, num_tokens: int, *, wait: float = 0.0) -> None:
        """Until it is accepted, or `stop`: then the client has no promise."""
        with self._lock:
            seed = self.num_calls
            self.num_calls += 1
        prompt = f"Call {seed} {PROMPT}"
        body = {"text": prompt, "max_new_tokens": num_tokens, "seed": seed, "metadata": {"call": seed}}
        headers = {"Idempotency-Key": uuid.uuid4().hex} if self._keyed else {}
        while not self._stopped.is_set():
            job = self._attempt(body, headers, wait)
            if job is None:
                self._stopped.wait(RETRY_SECONDS)
                continue
            self._ledger.accepted(Promise(job_id=job["id"], prompt=prompt, num_tokens=num_tokens, seed=seed))
            return

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._http.close()

    def _attempt(self, body: dict[str, Any], headers: dict[str, str], wait: float) -> dict[str, Any] | None:
        """The job object of an accepted call."""
        began = monotonic()
        try:
            answer = self._http.post(
                "/predict", params={"wait": wait}, json=body, headers=headers, timeout=wait + MARGIN_SECONDS
            )
        except httpx.TimeoutException:
            self.wrong.append(f"no answer within {wait + MARGIN_SECONDS:.0f} s")
            return None
        except httpx.TransportError:
            return None  # The API is away: it was killed.
        seconds = monotonic() - began
        if answer.is_error:
            self._overheard.add_error(answer.text)
        if answer.status_code in TRANSIENT:
            self.refusals.append(seconds)
            if "Retry-After" not in answer.headers:
                self.wrong.append(f"a {answer.status_code} without Retry-After")
            return None
        if answer.status_code not in (200, 202):
            self.wrong.append(f"{answer.status_code}: {answer.text[:200]}")
            return None
        job: dict[str, Any] = answer.json()
        self.waits.append((seconds, job["status"]))
        return job


class Callers:
    """Threads that call one after the other, until the end of the `with`."""

    def __init__(self, client: HttpClient, number: int, num_tokens: int, *, wait: float = 0.0) -> None:
        self._client = client
        self._stopped = threading.Event()
        self._call = partial(client.call, num_tokens, wait=wait)
        self._threads = [threading.Thread(target=self._run, name="caller") for _ in range(number)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every call that was begun is brought to its end, unless the run has failed."""
        self._stopped.set()
        if kind is not None:
            self._client.stop()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._call()
