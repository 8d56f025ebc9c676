"""The probe of a worker, as Docker and Kubernetes run it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tasks.worker import health_file

PROBE = Path(health_file.__file__).with_name("probe.sh")


def refusal(question: str, file: Path | str) -> str | None:
    """What it says; None where the answer is yes."""
    environment = {**os.environ, health_file.VARIABLE: str(file)}
    done = subprocess.run(
        ["bash", str(PROBE), question], env=environment, stderr=subprocess.PIPE, text=True, timeout=30
    )
    assert done.returncode in (0, 1)
    return done.stderr.strip() if done.returncode else None


def is_live(file: Path) -> bool:
    return refusal("live", file) is None


def is_ready(file: Path) -> bool:
    return refusal("ready", file) is None
