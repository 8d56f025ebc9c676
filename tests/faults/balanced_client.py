"""Clients behind a load balancer, which tells them of no process that refuses the connection."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import httpx

from tests.faults.canaries import Overheard
from tests.faults.http_client import MARGIN_SECONDS, HttpClient
from tests.faults.ledger import Ledger


class BalancedClient(HttpClient):
    """Calls the processes in turn, on connections that it keeps, and sends each accepted call once more to
    all of them: each must answer with the same job.

    `urls` are the processes that the balancer knows. Only 200 and 202 are right; what refuses the connection
    is passed over.
    """

    def __init__(self, ledger: Ledger, overheard: Overheard, urls: Callable[[], Sequence[str]]) -> None:
        super().__init__("http://127.0.0.1", ledger, overheard)
        self._urls = urls
        self._turns = itertools.count()
        self.num_refused = 0
        self.num_cut = 0  #: Calls whose connection ended without an answer.
        self.num_handed_over = 0  #: Waiting calls answered 202.

    def _attempt(self, body: dict[str, Any], headers: dict[str, str], wait: float) -> dict[str, Any] | None:
        known = self._urls()
        job = self._ask(known[next(self._turns) % len(known)], body, headers, wait)
        if job is not None:
            for url in known:
                again = self._ask(url, body, headers, 0)
                if again is not None and again["id"] != job["id"]:
                    self.wrong.append("a key made two jobs")
        return job

    def _ask(
        self, url: str, body: dict[str, Any], headers: dict[str, str], wait: float
    ) -> dict[str, Any] | None:
        began = monotonic()
        try:
            answer = self._http.post(
                f"{url}/predict",
                params={"wait": wait},
                json=body,
                headers=headers,
                timeout=wait + MARGIN_SECONDS,
            )
        except httpx.ConnectError:
            self.num_refused += 1
            return None
        except httpx.TransportError as error:
            self.num_cut += 1
            self.wrong.append(f"no answer: {type(error).__name__}")
            return None
        if answer.status_code not in (200, 202):
            self._overheard.add_error(answer.text)
            self.wrong.append(f"{answer.status_code}: {answer.text[:100]}")
            return None
        job: dict[str, Any] = answer.json()
        self.waits.append((monotonic() - began, job["status"]))
        self.num_handed_over += wait > 0 and answer.status_code == 202
        return job
