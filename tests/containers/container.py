"""A container of one image, as locked up as compose and the cluster run it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.waiting import wait_until

from .engine import Engine

HARDENED = (
    *("--read-only", "--tmpfs", "/tmp"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--memory", "2g", "--pids-limit", "2048"),
)


class Container:
    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name

    def exec(self, *command: str, timeout: float = 60) -> str:
        """What it writes. Raises CommandFailed where it does not end with 0."""
        return self.engine.docker("exec", self.name, *command, timeout=timeout)

    def processes(self) -> list[dict[str, str]]:
        """What the kernel says of each process inside: Pid, PPid, Name, State, Uid and more."""
        # One that ends meanwhile has no file any more.
        files = self.exec("bash", "-c", "tail -n +1 /proc/[0-9]*/status 2>/dev/null; true")
        found = []
        for file in re.split(r"^==> .* <==$", files, flags=re.MULTILINE)[1:]:
            lines = (line.partition(":") for line in file.splitlines())
            found.append({name: value.strip() for name, _, value in lines})
        return found

    def logs(self) -> str:
        """Standard output and standard error."""
        return self.engine.docker("logs", self.name, merged=True)

    @property
    def health(self) -> str:
        found: str = self.engine.inspect(self.name)["State"]["Health"]["Status"]
        return found

    def wait(self, health: str) -> None:
        def reached() -> bool:
            assert self.engine.inspect(self.name)["State"]["Running"], self.logs()
            return self.health == health

        wait_until(reached, f"{self.name} is {health}", seconds=90)

    def stop(self, grace: int) -> int:
        """Its exit code; 137 where it took longer than `grace` seconds after SIGTERM, and was killed."""
        self.engine.docker("stop", "--time", str(grace), self.name, timeout=grace + 30)
        code: int = self.engine.inspect(self.name)["State"]["ExitCode"]
        return code


@contextmanager
def running(engine: Engine, image: str, *options: str, network: str = "none") -> Iterator[Container]:
    """A hardened container until the end of the block."""
    name = engine.docker("run", "--detach", "--network", network, *HARDENED, *options, image).strip()
    try:
        yield Container(engine, name)
    finally:
        engine.docker("rm", "--force", "--volumes", name)
