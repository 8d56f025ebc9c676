"""A network that does what a test says, and a clock that moves only in pauses and waits."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from neoserve.effects import Answer, Call, Effect, Emit, Flow, Open, Outcome, Pause
from neoserve.errors import Unreachable
from neoserve.patience import Persistence

T = TypeVar("T")


class Network:
    """Each request is answered by the next of what `says` was told; a body in pieces by `sends`."""

    def __init__(self, patience: float = 30.0) -> None:
        self.now = 0.0
        self.calls: list[Call] = []
        self.pauses: list[float] = []
        self._answers: list[tuple[Answer | Unreachable, list[bytes | Unreachable]]] = []
        self._pieces: list[bytes | Unreachable] = []
        self.persistence = Persistence(seconds=patience, clock=lambda: self.now, chance=lambda: 0.0)

    def says(self, status: int, body: Any = None, **headers: object) -> Network:
        names = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        self._answers.append((Answer(status, names, json.dumps(body).encode()), []))
        return self

    def sends(self, *pieces: bytes | Unreachable, **headers: object) -> Network:
        """A 200 whose body is read by pieces."""
        names = {"content-type": "text/event-stream"}
        names |= {name.replace("_", "-"): str(value) for name, value in headers.items()}
        self._answers.append((Answer(200, names), list(pieces)))
        return self

    def breaks(self, times: int = 1) -> Network:
        self._answers += [(Unreachable("The connection broke."), [])] * times
        return self

    def run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._do(effect)

    def each(self, flow: Flow[None]) -> list[Any]:
        emitted = []
        outcome: Outcome = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration:
                return emitted
            if isinstance(effect, Emit):
                emitted.append(effect.item)
                outcome = None
            else:
                outcome = self._do(effect)

    @property
    def asked(self) -> list[str]:
        return [f"{call.method} {call.path}" for call in self.calls]

    def _do(self, effect: Effect) -> Outcome:
        if isinstance(effect, Pause):
            self.now += effect.seconds
            self.pauses.append(effect.seconds)
            return None
        if isinstance(effect, Call | Open):
            call = effect if isinstance(effect, Call) else effect.call
            self.calls.append(call)
            answer, self._pieces = self._answers.pop(0)
            if isinstance(answer, Answer) and b'"running"' in answer.content:
                self.now += call.wait_seconds  # The service waits as it was asked to.
            return answer
        return self._pieces.pop(0) if self._pieces else None


def job_json(status: str = "succeeded", **members: Any) -> dict[str, Any]:
    """As the service shows it, as far as a test needs it."""
    result = [{"generated_text": "Hello, world!", "finish_reason": "length"}]
    return {"id": "job_1", "status": status, "result": result if status == "succeeded" else None, **members}


def problem(status: int, code: str, **members: Any) -> dict[str, Any]:
    return {"status": status, "code": code, "detail": "In words.", "request_id": "req_1", **members}


def batch_json(status: str = "completed", **counts: int) -> dict[str, Any]:
    return {"id": "batch_1", "status": status, "counts": {"total": 2, **counts}}


def sent(name: str, data: Any, id: str = "") -> bytes:
    """A server-sent event."""
    line = f"id: {id}\n" if id else ""
    return f"event: {name}\n{line}data: {json.dumps(data)}\n\n".encode()
