"""One API process and the clients that wait at it."""

from __future__ import annotations

import json
import queue
import resource
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench.waiting_clients import BODY
from tasks.jobs.models import JobStatus, Row
from tasks.jobs.protocol import Claim, FinishEntry, Outcome
from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT
from tests.integration.api.api_process import ApiProcess

WORKER = "bench"
#: Nobody renews the leases of these jobs.
LEASE_SECONDS = 3600.0
ANSWER_SECONDS = 30.0
PROBE_SECONDS = 0.02
PAGE_BYTES = resource.getpagesize()
OUTCOME = Outcome(
    status=JobStatus.SUCCEEDED,
    rows=(Row(text=" there was a little girl" * 5, finish_reason="length", num_tokens=20),),
    num_tokens=20,
)
#: Client, status code, when it had been read.
Answer = tuple[int, int, float]


@dataclass
class Round:
    """Latencies in seconds."""

    megabytes: float = 0.0
    connections: int = 0
    one: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)
    beyond: float = 0.0
    health_one: list[float] = field(default_factory=list)
    health_all: list[float] = field(default_factory=list)


class Waiters:
    """As many clients as there are seats; this process is their worker."""

    def __init__(self, store: JobStore, api: ApiProcess, clients: int) -> None:
        self._store = store
        self._api = api
        self._num_clients = clients
        self._held: list[Claim] = []
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        command = [sys.executable, "-m", "bench.waiting_clients", str(api.port)]
        self._clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        self._clients.terminate()
        self._clients.wait()

    def run(self, singles: int) -> Round:
        measured = Round()
        self._ask(range(self._num_clients))
        self._hold(self._num_clients)
        self._until_seated()
        measured.megabytes, measured.connections = self.megabytes(), self.connections()
        measured.beyond = self._one_too_many()
        with self._probing(measured.health_one):
            for _ in range(singles):
                measured.one.append(self._end_one())
        with self._probing(measured.health_all):
            measured.every = self._end_all()
        return measured

    def megabytes(self) -> float:
        """Of the process that serves."""
        master = self._api.process.pid
        (worker,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6

    def connections(self) -> int:
        """The API's to Redis; this process has one as well."""
        return int(self._store.client.info("clients")["connected_clients"]) - 1

    def _ask(self, clients: Iterable[int]) -> None:
        assert self._clients.stdin is not None
        self._clients.stdin.write(json.dumps(list(clients)) + "\n")
        self._clients.stdin.flush()

    def _listen(self) -> None:
        assert self._clients.stdout is not None
        for line in self._clients.stdout:
            self._answers.put(tuple(json.loads(line)))

    def _hold(self, count: int) -> None:
        """Claim that many jobs, as soon as they are there."""
        until = time.monotonic() + ANSWER_SECONDS
        while count:
            claim = self._store.claim_next(WORKER, FINGERPRINT, uuid.uuid4().hex, lease_seconds=LEASE_SECONDS)
            if claim is not None:
                self._held.append(claim)
                count -= 1
            elif time.monotonic() > until:
                sys.exit(f"{count} requests have not arrived")

    def _until_seated(self) -> None:
        seated = f"neoserve_waiting_clients {self._num_clients:.1f}"
        until = time.monotonic() + ANSWER_SECONDS
        while seated not in self._get("/metrics"):
            if time.monotonic() > until:
                sys.exit("not all clients wait")
            time.sleep(PROBE_SECONDS)

    def _get(self, path: str) -> str:
        with closing(HTTPConnection("127.0.0.1", self._api.port, timeout=ANSWER_SECONDS)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def _one_too_many(self) -> float:
        """Seconds until it is handed over."""
        with closing(HTTPConnection("127.0.0.1", self._api.port, timeout=ANSWER_SECONDS)) as connection:
            began = time.monotonic()
            connection.request("POST", "/predict?wait=60", BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            job = json.loads(answer.read())
            seconds = time.monotonic() - began
        if answer.status != 202:
            sys.exit(f"one client too many got {answer.status}")
        self._store.cancel(job["id"])
        return seconds

    def _end_one(self) -> float:
        """Seconds until its client knows; then that client waits for another job."""
        claim = self._held.pop(0)
        began = time.monotonic()
        self._store.finish(WORKER, claim.job.id, claim.attempt, OUTCOME)
        client, received = self._answer()
        self._ask([client])
        self._hold(1)
        return received - began

    def _end_all(self) -> list[float]:
        ends = [
            FinishEntry(job_id=claim.job.id, attempt=claim.attempt, outcome=OUTCOME) for claim in self._held
        ]
        self._held.clear()
        began = time.monotonic()
        self._store.finish_all(WORKER, ends)
        return [self._answer()[1] - began for _ in ends]

    def _answer(self) -> tuple[int, float]:
        """Which client has got its text, and when."""
        client, status, received = self._answers.get(timeout=ANSWER_SECONDS)
        if status != 200:
            sys.exit(f"client {client} got {status}")
        return client, received

    @contextmanager
    def _probing(self, seconds: list[float]) -> Iterator[None]:
        """Somebody asks for /healthz, on one connection, as long as this lasts."""
        over = threading.Event()

        def probe() -> None:
            with closing(HTTPConnection("127.0.0.1", self._api.port)) as connection:
                while not over.is_set():
                    began = time.monotonic()
                    connection.request("GET", "/healthz")
                    connection.getresponse().read()
                    seconds.append(time.monotonic() - began)
                    over.wait(PROBE_SECONDS)

        prober = threading.Thread(target=probe)
        prober.start()
        try:
            yield
        finally:
            over.set()
            prober.join()
