"""Commands that a test runs, with what they said when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path


class CommandFailed(Exception):
    """It ended with another code than 0, or not in time."""

    def __init__(self, command: tuple[str, ...], how: str, output: str) -> None:
        super().__init__(f"{' '.join(command)}: {how}\n{output[-4000:]}")


def run(
    *command: str,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    merged: bool = False,
) -> str:
    """What it wrote to its standard output; `merged`: and to its standard error, in order.

    Raises CommandFailed, with what it wrote to either.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            cwd=cwd,
        )
    except subprocess.TimeoutExpired as error:
        said = b"".join(part for part in (error.stdout, error.stderr) if isinstance(part, bytes))
        raise CommandFailed(command, f"no end after {timeout:g} s", said.decode(errors="replace")) from None
    if done.returncode:
        raise CommandFailed(command, f"exit code {done.returncode}", done.stdout + (done.stderr or ""))
    return done.stdout
