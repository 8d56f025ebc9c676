"""A whole deployment as processes: a server with its file, workers, API processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from tasks.jobs.connection import connect
from tasks.jobs.models import JobStatus
from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tests.faults.canaries import PASSWORD, Overheard
from tests.faults.eavesdropper import hear_command_lines, hear_logs, hear_metrics, learn_texts
from tests.faults.switches import VARIABLE
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.services import RealServer, free_port, required_valkey

AOF = ("--appendonly", "yes", "--appendfsync", "everysec")


class Worker(WorkerProcess):
    """As it is deployed: it has metrics and tells Celery's monitors of its tasks."""

    APP = "tests.faults.worker"

    def __init__(self, url: str, folder: Path, name: str, **settings: str) -> None:
        self.name = name
        self._trace = folder / f"{name}.trace"
        port = free_port()
        self.metrics_url = f"http://127.0.0.1:{port}"
        own = {"FAULTS_TRACE": str(self._trace), "NEOSERVE_WORKER_METRICS_PORT": str(port)}
        super().__init__(url, folder, name, *QUICK, "--task-events", **own, **settings)

    @property
    def id(self) -> str:
        """As the record names it; once it is ready."""
        return self._lines()[0].split()[1]

    def claims(self) -> list[tuple[float, str, int]]:
        """Monotonic seconds, job, attempt."""
        split = [line.split() for line in self._lines()[1:]]
        return [(float(seconds), job, int(attempt)) for _, seconds, job, attempt in split]

    def _lines(self) -> list[str]:
        # What a killed process has not written to its end is no line.
        return [line[:-1] for line in self._trace.read_text().splitlines(True) if line.endswith("\n")]


class Api(ApiProcess):
    APP = "tests.faults.api:from_environment()"

    def kill(self) -> None:
        """With its child, which would go on for a while, and keep the port."""
        if self.process.poll() is None:
            family = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            self.process.kill()
            for child in map(int, family.split()):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        self.wait()


class Stack:
    """Leaves no process behind. `lease` is the product's own 10 s, or shorter to be over sooner.

    `wrapper` is a line of shell that is run before the server, in its process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lease: float = 10.0,
        switches: Iterable[str] = (),
        options: tuple[str, ...] = AOF,
        wrapper: str = "",
        **settings: str,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.lease = lease
        binary = _wrapped(required_valkey(), folder, wrapper)
        self.server = RealServer(binary, folder, *options, password=PASSWORD)
        self.overheard = Overheard()
        self._settings = {VARIABLE: ",".join([f"lease={lease}", *switches]), **settings}
        self._api_port = free_port()
        self.workers: list[Worker] = []
        self.apis: list[Api] = []

    def __enter__(self) -> Self:
        self.server.start()
        self.client = connect(self.server.url)
        self.store = JobStore(self.client)
        self.ring = CeleryRing(self.server.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._listen()
        finally:
            self._end()
        hear_logs(self.overheard, self.folder)
        for number, api in enumerate(self.apis):
            self.overheard.add(f"the log of api-{number}", api.output)

    @property
    def leaks(self) -> tuple[str, ...]:
        """Known after the end of the `with`."""
        return self.overheard.leaks()

    def _listen(self) -> None:
        hear_command_lines(self.overheard)
        learn_texts(self.overheard, self.store)
        hear_metrics(self.overheard, "the API", self.api_url)
        for worker in self.workers:
            if worker.process.poll() is None:
                hear_metrics(self.overheard, worker.name, worker.metrics_url)

    def _end(self) -> None:
        for worker in self.workers:
            worker.stop()
        for api in self.apis:
            api.kill()
        self.ring.close()
        self.client.close()
        self.server.stop()

    def launch_worker(self, *, url: str | None = None, **settings: str) -> Worker:
        """One that may not be ready yet; at another address of the server, if there is one."""
        name = f"worker-{len(self.workers)}"
        worker = Worker(url or self.server.url, self.folder, name, **{**self._settings, **settings})
        self.workers.append(worker)
        return worker

    def start_workers(self, number: int, **settings: str) -> list[Worker]:
        workers = [self.launch_worker(**settings) for _ in range(number)]
        for worker in workers:
            worker.wait_ready()
        return workers

    def start_api(self, *, url: str | None = None, **settings: str) -> Api:
        """All on one port, which a killed one leaves to the next."""
        port = str(self._api_port)
        api = Api(url or self.server.url, **{**self._settings, "NEOSERVE_PORT": port, **settings})
        self.apis.append(api)
        api.start()
        return api

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._api_port}"

    def held_by(self, worker: Worker) -> dict[str, int]:
        """Attempt by job, of all that the record says it holds."""
        ids: Any = self.client.zrange("neoserve:leases", 0, -1)
        with self.client.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hmget(f"neoserve:job:{job_id}", "worker", "attempt")
            answers = pipeline.execute()
        return {
            job_id: int(attempt)
            for job_id, (owner, attempt) in zip(ids, answers, strict=True)
            if owner == worker.id
        }

    def seconds_until_claimed_again(self, orphans: dict[str, int], since: float, patience: float) -> float:
        """Until the last of them is in another attempt, or over; `patience` where that does not come."""
        while self._still_orphans(orphans):
            if monotonic() - since > patience:
                return patience
            sleep(0.05)
        return monotonic() - since

    def _still_orphans(self, orphans: dict[str, int]) -> bool:
        with self.client.pipeline(transaction=False) as pipeline:
            for job_id in orphans:
                pipeline.hmget(f"neoserve:job:{job_id}", "attempt", "status")
            answers = pipeline.execute()
        return any(
            int(now) <= then and not JobStatus(status).terminal
            for (now, status), then in zip(answers, orphans.values(), strict=True)
        )

    def settled_within(self, seconds: float) -> bool:
        """Whether no job waits or is held any more."""
        deadline = monotonic() + seconds
        while self.client.zcard("neoserve:queued") + self.client.zcard("neoserve:leases"):
            if monotonic() > deadline:
                return False
            sleep(0.05)
        return True


def _wrapped(binary: Path, folder: Path, line: str) -> Path:
    if not line:
        return binary
    script = folder / "server"
    script.write_text(f'#!/bin/sh\n{line}\nexec "{binary}" "$@"\n')
    script.chmod(0o755)
    return script
