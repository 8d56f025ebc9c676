"""The API as it runs in production: gunicorn in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests.abuse.exchange import until_closed
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
READY = "api ready: http://"


class ApiProcess:
    """Starts on a free port; `output` is what it has written so far."""

    APP = "api.app:from_environment()"

    def __init__(self, redis_url: str, **environment: str) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "error",
            "REDIS_URL": redis_url,
            "NEOSERVE_PORT": "0",
            "NEOSERVE_METRICS_PORT": "0",
            **environment,
        }
        self.lines: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def start(self, *wrapper: str) -> None:
        """Returns when it serves. See launch()."""
        self.launch(*wrapper)
        wait_until(
            lambda: self._ready_line() or self.process.poll() is not None, "the API starts", seconds=30
        )
        line = self._ready_line()
        assert line is not None, self.output
        self.port = int(line.rsplit(":", 1)[1])

    def launch(self, *wrapper: str) -> None:
        """Without waiting; `wrapper` is a command that runs the command behind it."""
        command = [*wrapper, sys.executable, "-m", "gunicorn", "-c", "python:api.gunicorn_conf"]
        self.process = subprocess.Popen(
            [*command, self.APP],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = 30) -> int:
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def send(self, data: bytes) -> bytes:
        """The first bytes of the answer to exactly these bytes; the sender then says that it is done."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            with until_closed():
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)

    def _ready_line(self) -> str | None:
        return next((line for line in self.lines if line.startswith(READY)), None)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
