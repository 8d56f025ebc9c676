"""Servers that a peer starts for itself. Standard library only."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
from collections.abc import Mapping


def free_port() -> int:
    """One that nobody listens on now, on the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start(*command: str, environment: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    """A process that ends with this one; what it prints goes to stderr."""
    process = subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL)
    atexit.register(process.wait)
    atexit.register(process.terminate)  # Registered last, so it runs before the wait.
    return process
