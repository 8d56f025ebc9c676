"""One process that `neoserve up` runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

#: Our processes end with a line such as `neoserve worker: there is no model …` when they refuse to start.
REFUSAL = "neoserve "

_TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """How to run a child and how to tell that it is ready."""

    name: str
    command: Sequence[str]
    ready: str  #: The first line that contains this says that it is ready.
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None  #: Where it runs; None is here.
    keeps_open: tuple[int, ...] = ()  #: File descriptors it inherits.
    metrics_port: int = 0  #: Where it serves its metrics, unless it says that it cannot; 0 is off.
    health_file: Path | None = None  #: It is written anew while the child makes progress.
    stop_seconds: float = 0.0  #: So long it may take to end, when it is replaced because it makes none.
    quiet: bool = False  #: Its lines are kept, for the report of its death, but not printed.


class Child:
    """One run of a ChildSpec: the process, in a session of its own, and the thread that reads its lines.

    It must be made by the main thread: on Linux the kernel ties the process to the thread that started it.
    """

    def __init__(self, spec: ChildSpec, on_line: Callable[[str, str], None]) -> None:
        self.spec = spec
        self.ready = threading.Event()
        self.last_line = ""
        self.metrics_port = spec.metrics_port
        self._on_line = on_line
        # A session of its own keeps the terminal's Ctrl-C away: `neoserve up` alone decides the order.
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *spec.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=dict(spec.environ),
            cwd=spec.folder,
            pass_fds=spec.keeps_open,
        )
        self._reader = threading.Thread(target=self._read, name=f"read-{spec.name}", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def refusal(self) -> str:
        """Why it refuses to start, in its own words, which starting it again would only repeat; or empty."""
        self._wait_for_last_line()
        return self.last_line if self.process.poll() and self.last_line.startswith(REFUSAL) else ""

    def how_it_ended(self) -> str:
        """In words, with its last line unless a signal ended it; only for one that is not alive."""
        self._wait_for_last_line()
        code = self.process.poll() or 0
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        ending = f"exited with code {code}"
        return f"{ending}: {self.last_line.rstrip('.')}" if self.last_line else ending

    def terminate(self) -> None:
        """Ask it to finish what it does and to end."""
        if self.alive:
            self.process.terminate()

    def kill(self) -> None:
        """End it and everything it started, at once. Also removes what a dead child left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _wait_for_last_line(self) -> None:
        # It may still be in the pipe; but a grandchild that keeps the pipe open must not keep us.
        self._reader.join(0.5)

    def _read(self) -> None:
        with cast(IO[bytes], self.process.stdout) as lines:  # A PIPE above.
            for raw in lines:
                line = raw.decode("utf-8", "replace").rstrip()
                if not line:
                    continue
                self.last_line = line
                if not self.spec.quiet:
                    self._on_line(self.spec.name, line)
                # Its port may have been taken between our look and its start; it warns and goes on without.
                if "metrics" in line and f":{self.metrics_port}" in line:
                    self.metrics_port = 0
                if self.spec.ready in line:
                    self.ready.set()
