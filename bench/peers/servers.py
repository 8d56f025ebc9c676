"""Servers that a peer starts for itself. Standard library only."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
from collections.abc import Mapping


def free_port() -> int:
    """One that nobody listens on now, on the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start(*command: str, environment: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    """A process that ends with this one, and with it all that it started: some leave their workers behind,
    and none has anything to lose. What it prints goes to stderr."""
    process = subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
    )
    atexit.register(process.wait)
    atexit.register(os.killpg, process.pid, signal.SIGKILL)  # Registered last, so it runs before the wait.
    return process
