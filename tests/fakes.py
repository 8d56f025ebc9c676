"""Stand-ins for what tests must control: time, and requests without a client.

The model's stand-in is a product file, `tasks.engine.scripted`: a real worker can run with it too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.engine.engine import Engine
from tasks.engine.scheduler import Scheduler
from tasks.engine.scripted import ScriptedDetokenizer, ScriptedRunner, letter
from tasks.engine.types import GenerationRequest

__all__ = ["FakeClock", "ScriptedRunner", "make_engine", "make_request", "run_all", "tokens_of"]


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def make_request(**fields: Any) -> GenerationRequest:
    """A valid request; a test names the fields that it is about."""
    values: dict[str, Any] = {"request_id": "r", "prompt_ids": (1, 2, 3), "max_new_tokens": 5}
    return GenerationRequest(**{**values, **fields})


def make_engine(
    runner: ScriptedRunner, *, max_prefill_tokens: int = 128, clock: Callable[[], float] | None = None
) -> Engine:
    scheduler = Scheduler(
        num_slots=runner.num_slots, max_prefill_tokens=max_prefill_tokens, page_tokens=runner.page_tokens
    )
    return Engine(runner, scheduler, ScriptedDetokenizer, clock or FakeClock())


def tokens_of(text: str) -> list[int]:
    """Tokens that the ScriptedDetokenizer turns into this text of small letters."""
    tokens = [ord(character) - ord("a") + 26 for character in text]
    if "".join(map(letter, tokens)) != text:
        raise ValueError(f"{text!r} is not made of small letters")
    return tokens


def run_all(engine: Engine) -> int:
    """Steps until nothing is left."""
    steps = 0
    while engine.has_work:
        engine.step()
        steps += 1
    return steps
