"""The processes of `neoserve up`, with a worker that writes down when each job was in its engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.http_clients import Answer
from client.child import Child, ChildSpec
from client.data_folder import DataFolder
from client.embedded_server import EmbeddedServer, find_server
from client.plan import make_plan
from client.ports import free_port

START_SECONDS = 120
TRACE_SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")


class ServedStack:
    """API, embedded server and one worker, and the process with the clients."""

    def __init__(self, work: Path, environ: Mapping[str, str]) -> None:
        self._trace = work / "trace.txt"
        self._log = (work / "log.txt").open("w")
        self._folder = DataFolder(work / "data")
        self._environ = {
            **os.environ,
            "NEOSERVE_METRICS_PORT": "0",
            "NEOSERVE_WORKER_METRICS_PORT": "0",
            "BENCH_TRACE": str(self._trace),
            **environ,
        }
        self._environ.pop("REDIS_URL", None)
        self.children: dict[str, Child] = {}

    @contextmanager
    def running(self) -> Iterator[ServedStack]:
        with ExitStack() as ending:
            ending.callback(self._log.close)
            self._folder.lock()
            ending.callback(self._folder.release)
            server = EmbeddedServer(folder=self._folder, binary=find_server())
            self._start(server.spec(), ending)
            port = free_port()
            plan = make_plan(
                environ=self._environ, port=port, host=None, workers=1, model=None, data=self._folder.path
            )
            (worker,) = plan.worker_specs(server.url, (), self._folder.path)
            command = [part.replace("tasks.worker.app", "bench.traced_worker") for part in worker.command]
            self._start(replace(worker, command=command), ending)
            self._start(plan.api_spec(server.url, ()), ending)
            self.address = f"127.0.0.1:{port}"
            self.redis_url = server.url
            self._clients = subprocess.Popen(
                [sys.executable, "-m", "bench.http_clients"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            ending.callback(self._clients.wait)
            ending.callback(self._clients.terminate)
            yield self

    def _start(self, spec: ChildSpec, ending: ExitStack) -> None:
        child = Child(spec, lambda name, line: print(f"{name}: {line}", file=self._log, flush=True))
        self.children[spec.name] = child
        ending.callback(child.process.wait)
        ending.callback(child.terminate)
        if not child.ready.wait(START_SECONDS):
            sys.exit(f"{spec.name} did not start: {child.last_line}")

    def predict(self, texts: list[list[str]], new_tokens: int) -> list[Answer]:
        """One client for each list of texts, all at once."""
        wanted = {"address": self.address, "texts": texts, "new_tokens": new_tokens}
        assert self._clients.stdin is not None
        assert self._clients.stdout is not None
        self._clients.stdin.write(json.dumps(wanted) + "\n")
        self._clients.stdin.flush()
        line = self._clients.stdout.readline()
        if not line:
            sys.exit("the clients have ended")
        answers: list[Answer] = json.loads(line)
        return answers

    def engine_times(self, jobs: Iterable[str]) -> dict[str, list[float]]:
        """Submitted to the engine, slot, first token, done, recorded. The clients may have an answer before
        the worker has written its line."""
        missing = set(jobs)
        until = time.monotonic() + TRACE_SECONDS
        while True:
            rows = (line.split() for line in self._trace.read_text().splitlines())
            times = {job: list(map(float, times)) for job, *times in rows}
            if missing <= times.keys():
                return times
            if time.monotonic() > until:
                sys.exit(f"the worker wrote nothing about {len(missing - times.keys())} jobs")
            time.sleep(0.05)

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far of each part, with what it started."""
        return {name: session_cpu_seconds(child.process.pid) for name, child in self.children.items()}


def session_cpu_seconds(session: int) -> float:
    """Of all processes in a session, those included that have ended and been waited for. Linux only."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            total += sum(map(int, fields[11:15]))
    return total / TICKS
