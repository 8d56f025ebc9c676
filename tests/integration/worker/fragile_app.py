"""The worker as it is, with a test double that some prompts hang or break, short patience, and the switches
of tests.faults.

Started with `celery -A tests.integration.worker.fragile_app`, never imported: it changes other modules.
"""

from __future__ import annotations

import atexit
import os
import sys
from functools import partial
from pathlib import Path

from celery import signals

from tasks.worker import liveness, parts, served_model
from tasks.worker.health_file import VARIABLE
from tasks.worker.memory import read_memory
from tests.faults.switches import apply_switches
from tests.integration.worker.fragile_model import FragileModel
from tests.integration.worker.processes import SYSTEM

served_model.ScriptedModel = FragileModel  # type: ignore[misc]
liveness.LIMIT_SECONDS, liveness.QUIET_SECONDS = 4.0, 1.0
apply_switches()
if SYSTEM in os.environ:
    system = Path(os.environ[SYSTEM])
    parts.read_memory = partial(read_memory, system / "cgroup", system / "proc")  # type: ignore[attr-defined]


def tell_at_exit(**_: object) -> None:
    """Whether the health file is there when the process ends, before anything that was registered earlier."""
    file = Path(os.environ.get(VARIABLE, ""))
    atexit.register(lambda: sys.stderr.write(f"health file at exit: {file.is_file()}\n"))


signals.worker_shutdown.connect(tell_at_exit, weak=False)

from tasks.worker.app import app  # noqa: E402

__all__ = ["app"]
