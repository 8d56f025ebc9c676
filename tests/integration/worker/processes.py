"""Real workers as processes, and jobs recorded and rung as the API does it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tasks.jobs.connection import connect
from tasks.jobs.models import Job
from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tests.factories import make_new_job, make_parameters
from tests.faults import switches
from tests.waiting import wait_until

#: Spares every start the second in which Celery looks for other workers.
QUICK = ("--without-mingle", "--without-gossip")

#: The same with a model that can be broken.
FRAGILE_APP = "tests.integration.worker.fragile_app"

#: For that app and tests.faults.worker: a worker that is gone is missed sooner, by those that have it too.
SHORT_LEASE = {switches.VARIABLE: "lease=3"}

#: A folder with `cgroup` and `proc` in place of the system's, for that app; see tests/fake_system.py.
SYSTEM = "TEST_SYSTEM"


class WorkerProcess:
    """`celery -A tasks.worker.app worker`, with nothing but an environment."""

    APP = "tasks.worker.app"

    def __init__(
        self, url: str, folder: Path, name: str, *options: str, app: str = "", **settings: str
    ) -> None:
        self._stdout, self._stderr = folder / f"{name}.out", folder / f"{name}.err"
        environment = {
            "REDIS_URL": url,
            "NEOSERVE_MODEL": "scripted",
            "NEOSERVE_WORKER_METRICS_PORT": "0",
            "OMP_NUM_THREADS": "1",
            **settings,
        }
        command = [sys.executable, "-m", "celery", "-A", app or self.APP, "worker", *options]
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, env=os.environ | environment, stdout=stdout, stderr=stderr
            )

    @property
    def out(self) -> str:
        return self._stdout.read_text()

    @property
    def err(self) -> str:
        return self._stderr.read_text()

    def wait_ready(self) -> None:
        wait_until(
            lambda: "worker ready: " in self.out or self.process.poll() is not None,
            "the worker is ready or has ended",
            seconds=60,
        )
        assert self.process.poll() is None, self.err

    def ended_jobs(self) -> dict[str, str]:
        """Outcome by job, as logged."""
        return dict(re.findall(r"job_id=(\S+) attempt=\d+ .*outcome=(\S+)", self.err))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


class Fleet:
    """Workers on one server, and the jobs for them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.client = connect(url)
        self.store = JobStore(self.client)
        self.ring = CeleryRing(url)
        self.workers: list[WorkerProcess] = []

    def start(self, *options: str, app: str = "", **settings: str) -> WorkerProcess:
        """A worker, which may not be ready yet."""
        name = f"worker-{len(self.workers)}"
        worker = WorkerProcess(self.url, self.folder, name, *(options or QUICK), app=app, **settings)
        self.workers.append(worker)
        return worker

    def start_ready(self, *options: str, app: str = "", **settings: str) -> WorkerProcess:
        worker = self.start(*options, app=app, **settings)
        worker.wait_ready()
        return worker

    def submit(self, id: str, *, num_tokens: int = 20, rings: int = 1, **changes: Any) -> None:
        job = make_new_job(
            id, fingerprint="scripted", parameters=make_parameters(max_new_tokens=num_tokens), **changes
        )
        self.store.submit(job, max_queued=10_000)
        for _ in range(rings):
            self.ring.ring(id)

    def wait_status(self, job_id: str, status: str, *, seconds: float = 20) -> Job:
        wait_until(lambda: self.store.get(job_id).status == status, f"{job_id} is {status}", seconds=seconds)
        return self.store.get(job_id)

    def close(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.ring.close()
        self.client.close()
