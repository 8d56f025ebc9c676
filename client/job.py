"""The job object that the service answers with, as far as the client reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})


@dataclass(frozen=True, slots=True)
class JobView:
    """`raw` is the whole object as it came: a newer service may send more than this client knows."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        return str(self.raw["status"])

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @property
    def text(self) -> str:
        """The first generated text; empty while there is none."""
        rows = self.raw.get("result") or [{}]
        return str(rows[0].get("generated_text", ""))

    @property
    def num_tokens(self) -> int:
        return int((self.raw.get("usage") or {}).get("completion_tokens") or 0)

    def describe(self) -> str:
        """The state in a few words, for people."""
        queue, progress = self.raw.get("queue") or {}, self.raw.get("progress") or {}
        error = self.raw.get("error") or {}
        if self.status == "queued" and queue.get("position"):
            eta = queue.get("eta_s")
            start = "" if eta is None else f", starts in about {eta:.0f} s"
            return f"queued, number {queue['position']} in line{start}"
        if self.status == "running" and progress:
            return f"running, {progress.get('tokens')} of {progress.get('max_new_tokens')} tokens"
        if error:
            return f"{self.status}: {error.get('detail')} [{error.get('code')}]"
        return self.status
