"""One terminal: a real `neoserve` process, what it has printed, and every process that came from it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import wait_until

NEOSERVE = Path(sys.executable).with_name("neoserve")

#: On two busy cores; on an idle machine a start takes a few seconds.
START_SECONDS = 90.0

#: Marks a process and all that come from it.
MARK = "NEOSERVE_E2E_MARK"


def bare_environ(**more: str) -> dict[str, str]:
    """The environment of a user who has configured nothing."""
    names = ("PATH", "HOME", "LANG", "TMPDIR", "OMP_NUM_THREADS")
    return {**{name: os.environ[name] for name in names if name in os.environ}, **more}


def neoserve(*arguments: object, seconds: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as in a pipe."""
    return subprocess.run(
        [NEOSERVE, *map(str, arguments)],
        env=bare_environ(**environ),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Terminal:
    """Runs in a process group of its own, as a shell would have it."""

    def __init__(self, folder: Path, *arguments: object, **environ: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._mark = uuid.uuid4().hex
        self._output = folder / f"output-{self._mark}.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [NEOSERVE, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=bare_environ(**environ, **{MARK: self._mark}),
                start_new_session=True,
            )

    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, pattern: str, *, times: int = 1, seconds: float = START_SECONDS) -> re.Match[str]:
        """The `times`-th place where the output matches; fails with the output when it ends without."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = re.finditer(pattern, self.output(), re.MULTILINE)
            return len(found) >= times or self.process.poll() is not None

        wait_until(look, f"{pattern!r} in:\n{self.output()}", seconds=seconds)
        assert len(found) >= times, f"no {pattern!r} in:\n{self.output()}"
        return found[times - 1]

    def end(self, *signals: signal.Signals, seconds: float = 60) -> int:
        """Send the signals and wait for the exit code."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def processes(self) -> dict[int, str]:
        """The command line of every living process that came from this terminal, by its pid.

        Except the embedded server: it overwrites its environment with its title.
        """
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = f"{MARK}={self._mark}".encode() in (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if marked and command:  # a zombie has none
                found[int(entry.name)] = command
        return found

    def pid_of(self, part: str) -> int:
        """The first process whose command line contains `part`: the one that started the others."""
        return min(pid for pid, command in self.processes().items() if part in command)

    def wait_until_nothing_is_left(self, seconds: float = 20) -> None:
        wait_until(lambda: not self.processes(), f"no process is left of {self.processes()}", seconds=seconds)

    def kill_everything(self) -> None:
        """For the end of a test, whatever came before."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)


def submit(url: str, text: str = "Hello, world!", **parameters: Any) -> str:
    """Record a job; returns its id."""
    answer = httpx.post(f"{url}/jobs", json={"text": text, **parameters}, timeout=20)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def get_job(url: str, job_id: str, wait: int = 0) -> Mapping[str, Any]:
    answer = httpx.get(f"{url}/jobs/{job_id}", params={"wait": wait}, timeout=wait + 20)
    assert answer.status_code == 200, answer.text
    job: Mapping[str, Any] = answer.json()
    return job
