"""Prometheus, Alertmanager and their tools, as real programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from time import time
from typing import Any

import httpx

from client.monitoring import find_program
from tests.services import free_port, require_service
from tests.waiting import wait_until

START_SECONDS = 30


def required_program(*names: str) -> Path:
    """The first of these that is installed, or there is no test."""
    found = find_program(*names)
    packages = "prometheus prometheus-alertmanager prometheus-redis-exporter"
    require_service(found is not None, f"{names[0]} is not installed: apt install {packages}")
    assert found is not None
    return found


def checked(*command: object) -> str:
    """What a command prints; it must exit with 0."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Server:
    """A process with a port of its own on this machine, ready when `/-/ready` says so."""

    def __init__(self, folder: Path, *command: object, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = list(map(str, command))
        self._log = folder / "server.log"

    def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(self._is_ready, f"{self._command[0]} is ready", seconds=START_SECONDS)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.url}{path}", params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


class Prometheus(Server):
    """It repeats an alert after a second: the first time it may not know its Alertmanager yet."""

    def __init__(self, folder: Path, configuration: Path) -> None:
        port = free_port()
        super().__init__(
            folder,
            required_program("prometheus"),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--rules.alert.resend-delay=1s",
            port=port,
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        result: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["data"]["result"]
        return result

    def query_range(self, expression: str, start: float) -> list[dict[str, Any]]:
        """The series at each second from `start` until now, as a graph draws them."""
        found = self.get("/api/v1/query_range", query=expression, start=start, end=time(), step=1)
        series: list[dict[str, Any]] = found["data"]["result"]
        return series


class Alertmanager(Server):
    def __init__(self, folder: Path, configuration: Path) -> None:
        self.port = free_port()
        super().__init__(
            folder,
            required_program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={configuration}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            port=self.port,
        )
