"""The worker as it is, with a test double that some prompts hang or break, and short patience.

Started with `celery -A tests.integration.worker.fragile_app`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence as Rows
from functools import partial
from pathlib import Path

from tasks.engine.errors import RunnerBroken
from tasks.engine.runner import Chunk
from tasks.engine.scripted import ScriptedRunner
from tasks.worker import liveness, parts, served_model
from tasks.worker.memory import read_memory
from tasks.worker.scripted_model import ScriptedModel

#: A folder with `cgroup` and `proc` in place of the system's; see tests/fake_system.py.
SYSTEM = "TEST_SYSTEM"

HANGS, BREAKS, QUITS = "hang", "break", "quit"


class FragileModel(ScriptedModel):
    def new_runner(self, num_slots: int, num_kv_tokens: int, num_prefix_tokens: int) -> ScriptedRunner:
        runner = super().new_runner(num_slots, num_kv_tokens, num_prefix_tokens)
        kinds = {self.encode(kind): kind for kind in (HANGS, BREAKS, QUITS)}
        run = runner.run

        def run_or_not(chunks: Rows[Chunk]) -> list[int | Exception]:
            for chunk in chunks:
                misbehave(kinds.get(tuple(chunk.token_ids)))
            return run(chunks)

        runner.run = run_or_not  # type: ignore[method-assign]
        return runner


def misbehave(kind: str | None) -> None:
    if kind == HANGS:
        threading.Event().wait()
    elif kind == BREAKS:
        raise RunnerBroken("CUDA error: device-side assert triggered")
    elif kind == QUITS:
        raise SystemExit


served_model.ScriptedModel = FragileModel  # type: ignore[misc]
liveness.LIMIT_SECONDS, liveness.QUIET_SECONDS = 4.0, 1.0
if SYSTEM in os.environ:
    system = Path(os.environ[SYSTEM])
    parts.read_memory = partial(read_memory, system / "cgroup", system / "proc")  # type: ignore[attr-defined]

from tasks.worker.app import app  # noqa: E402

__all__ = ["app"]
