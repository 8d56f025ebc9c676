"""The service under the page: a server, an API, and a worker with one place and a slow model."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.services import RealServer, required_valkey
from tests.waiting import wait_until

#: A token takes so long.
STEP_SECONDS = 0.02

MAX_QUEUED = 3


class PageService:
    def __init__(self, folder: Path) -> None:
        self._server = RealServer(required_valkey(), folder, "--appendonly", "no")
        self._server.start()
        self._worker = WorkerProcess(
            self._server.url,
            folder,
            "worker",
            *QUICK,
            NEOSERVE_MODEL=f"scripted:{STEP_SECONDS}",
            NEOSERVE_MAX_BATCH_SIZE="1",
        )
        self.api = self.start_api()
        self._client = connect(self._server.url)
        self.store = JobStore(self._client)
        self._worker.wait_ready()

    @property
    def url(self) -> str:
        return self.api.url

    def start_api(self, **environment: str) -> ApiProcess:
        api = ApiProcess(self._server.url, NEOSERVE_MAX_QUEUED=str(MAX_QUEUED), **environment)
        api.start()
        return api

    def store_in(self, namespace: str) -> JobStore:
        return JobStore(self._client, namespace)

    def submit(self, num_tokens: int = 500, **fields: Any) -> str:
        """A job beside the page's; its id."""
        body = {"text": "Beside", "max_new_tokens": num_tokens, **fields}
        answer = httpx.post(f"{self.url}/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def occupy(self) -> str:
        """A job that holds the worker's one place until it is canceled."""
        job_id = self.submit(2000)
        wait_until(lambda: self.job(job_id)["status"] == "running", "it runs")
        return job_id

    def job(self, job_id: str) -> Any:
        return httpx.get(f"{self.url}/jobs/{job_id}").json()

    def cancel(self, job_id: str) -> None:
        httpx.delete(f"{self.url}/jobs/{job_id}")

    def kill_api_process(self) -> None:
        """The one that serves; gunicorn starts another in its place."""
        master = self.api.process.pid
        (child,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)

    def clear(self) -> None:
        """Whatever a test has left."""
        for job in httpx.get(f"{self.url}/jobs?status=queued,running").json()["jobs"]:
            self.cancel(job["id"])
        wait_until(lambda: not self.store.fleet().num_held, "the worker is free")

    def stop(self) -> None:
        self.api.stop()
        self._worker.stop()
        self._client.close()
        self._server.stop()
