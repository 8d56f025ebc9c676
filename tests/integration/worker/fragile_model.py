"""A test double that some prompts hang, break or make fail."""

from __future__ import annotations

import threading
from collections.abc import Sequence as Rows

from tasks.engine.errors import RunnerBroken
from tasks.engine.runner import Chunk
from tasks.engine.scripted import ScriptedRunner
from tasks.worker.scripted_model import ScriptedModel

HANGS, BREAKS, QUITS, FAILS = "hang", "break", "quit", "fail"


class FragileModel(ScriptedModel):
    def new_runner(self, num_slots: int, num_kv_tokens: int, num_prefix_tokens: int) -> ScriptedRunner:
        runner = super().new_runner(num_slots, num_kv_tokens, num_prefix_tokens)
        kinds = {self.encode(kind): kind for kind in (HANGS, BREAKS, QUITS, FAILS)}
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
    elif kind == FAILS:
        raise ArithmeticError("a row that cannot be run")
