"""Well-behaved clients beside the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

BODY = {"text": "Once upon a time", "max_new_tokens": 2}


class GoodTraffic:
    """Clients that ask for a text, wait for it, and ask again. Each has a connection that it keeps."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, clients: int = 2) -> None:
        self._url, self._headers = url, headers
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, name="good traffic") for _ in range(clients)]
        self.answers: list[tuple[int, float]] = []  #: Status and seconds of every call.

    @contextmanager
    def running(self) -> Iterator[GoodTraffic]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            for thread in self._threads:
                thread.join()

    @property
    def statuses(self) -> set[int]:
        return {status for status, _ in self.answers}

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60) as client:
            while not self._stopped.is_set():
                started = time.monotonic()
                status = client.post("/predict?wait=30", json=BODY).status_code
                self.answers.append((status, time.monotonic() - started))
