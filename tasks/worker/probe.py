"""`python -m tasks.worker.probe live|ready`: exit code 0 if this machine's worker is, else 1."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tasks.worker.health_file import VARIABLE, health_file


def main(arguments: Sequence[str]) -> str | None:
    """The reason why not, for sys.exit."""
    if list(arguments) not in (["live"], ["ready"]):
        return "usage: python -m tasks.worker.probe live|ready"
    file = health_file(os.environ.get(VARIABLE, ""))
    if file is None:
        return f"{VARIABLE} is not set: the worker writes no health file"
    if not (file.live() if arguments[0] == "live" else file.ready()):
        return f"the worker is not {arguments[0]}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
