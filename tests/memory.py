"""How much memory a loaded model takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tasks.model.precision import Precision

HOLD = """
import sys
from pathlib import Path
from tasks.model.loading import load
from tasks.model.precision import Precision

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

load("", precision=Precision(sys.argv[2]))  # What torch takes for itself when it first loads anything.
before = resident()
model = load(sys.argv[1], precision=Precision(sys.argv[2]))
print(resident() - before)
"""


def held_bytes(folder: Path, precision: Precision) -> int:
    """By how much a process grows that loads the model; on Linux only."""
    command = [sys.executable, "-c", HOLD, str(folder), precision]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
