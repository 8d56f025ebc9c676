"""What a request may hold, besides its text. Meanings, units and defaults are in docs/api.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class Generation(TypedDict, total=False):
    """How to generate: of a single request, and of an item of a batch."""

    max_length: int
    max_new_tokens: int
    do_sample: bool
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    stop: str | Sequence[str]
    seed: int
    num_return_sequences: int
    return_full_text: bool
    model: str
    metadata: Mapping[str, Any]


class JobFields(Generation, total=False):
    """Of a single request."""

    priority: Literal["high", "normal", "low"]
    deadline_s: float
    ttl_s: int
    cancel_on_disconnect: bool
    webhook: str
    webhook_events: Sequence[Literal["started", "completed"]]


class BatchFields(TypedDict, total=False):
    """Of a batch as a whole."""

    defaults: Generation
    deadline_s: float
    ttl_s: int
    webhook: str
    metadata: Mapping[str, Any]
