"""Runs a command that does not outlive the process that asked for it, however that one ends.

Usage: python -I -S tether.py PARENT_PID COMMAND…

On Linux the kernel is asked to kill this process with its parent, and the command takes its place.
Elsewhere this process stays, watches its parent and kills its own process group when the parent is gone.
It is run by path, before anything else is imported: standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>
WATCH_SECONDS = 0.25


def become(parent: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before the kernel knew of the wish; then nobody would send the signal.
    if os.getppid() != parent:
        raise SystemExit(1)
    os.execvp(command[0], command)


def watch(parent: int, command: list[str]) -> int:
    """Run `command` in this process group; returns its exit code as a shell would (128 + signal)."""
    child = subprocess.Popen(command, close_fds=False)

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        try:
            code = child.wait(WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                os.killpg(os.getpgrp(), signal.SIGKILL)
        else:
            return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        become(parent, command)
    return watch(parent, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
