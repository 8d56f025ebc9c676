"""The worker as it is, with a test double that some prompts hang or break, and short patience.

Started with `celery -A tests.integration.worker.fragile_app`, never imported: it changes other modules.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tasks.worker import liveness, parts, served_model
from tasks.worker.memory import read_memory
from tests.integration.worker.fragile_model import FragileModel
from tests.integration.worker.processes import SYSTEM

served_model.ScriptedModel = FragileModel  # type: ignore[misc]
liveness.LIMIT_SECONDS, liveness.QUIET_SECONDS = 4.0, 1.0
if SYSTEM in os.environ:
    system = Path(os.environ[SYSTEM])
    parts.read_memory = partial(read_memory, system / "cgroup", system / "proc")  # type: ignore[attr-defined]

from tasks.worker.app import app  # noqa: E402

__all__ = ["app"]
