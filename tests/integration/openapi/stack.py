"""A server, the API under gunicorn and a worker without a model, whose processes are watched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.services import RealServer, required_valkey
from tests.waiting import wait_until


class Stack:
    def __init__(self, folder: Path, **settings: str) -> None:
        self._server = RealServer(required_valkey(), folder, "--appendonly", "no")
        self._server.start()
        self.worker = WorkerProcess(self._server.url, folder, "worker", *QUICK)
        self.api = ApiProcess(self._server.url, **settings)
        self.api.start()
        self.worker.wait_ready()
        self._client = connect(self._server.url)
        self.store = JobStore(self._client)
        self._first = self.serving()

    @property
    def url(self) -> str:
        return self.api.url

    def document(self) -> Any:
        return httpx.get(f"{self.url}/openapi.json").json()

    def serving(self) -> list[int]:
        """Processes of gunicorn that serve."""
        master = self.api.process.pid
        return [int(each) for each in Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    def memory_mib(self) -> int:
        """Of the process that serves."""
        status = Path(f"/proc/{self.serving()[0]}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) // 1024

    def assert_unharmed(self) -> None:
        """Nothing was restarted, and nothing is left of what was asked."""
        assert self.serving() == self._first
        assert self.worker.process.poll() is None, self.worker.err
        wait_until(lambda: not self.store.fleet().num_held, "the worker is done", seconds=60)
        fleet = self.store.fleet()
        assert sum(model.backlog.num_jobs for model in fleet.models) == 0
        assert fleet.batches.num_running == 0

    def stop(self) -> None:
        self.api.stop()
        self.worker.stop()
        self._client.close()
        self._server.stop()
