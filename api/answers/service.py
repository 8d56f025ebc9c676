"""What the service says of itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.values import DESCRIBED, Count, Seconds, Time


@with_config(DESCRIBED)
class Alive(TypedDict):
    """The process serves requests."""

    status: Literal["ok"]


@with_config(DESCRIBED)
class Ready(TypedDict):
    """New requests are welcome."""

    status: Literal["ready"]


@with_config(DESCRIBED)
class Addresses(TypedDict):
    """Where what is."""

    name: Literal["neoserve"]
    version: str
    texts: str
    jobs: str
    events: str
    batches: str
    fleet: str
    limits: str
    reference: str


@with_config(DESCRIBED)
class ModelInfo(TypedDict):
    """A model that answers here."""

    model: str
    revision: str
    fingerprint: str
    """Hash of its files."""
    max_positions: Count
    """Tokens of prompt and continuation together at most."""
    generation_defaults: dict[str, Any]
    """What a request gets that leaves everything open."""
    metadata: dict[str, Any]
    registered_at: Time | None
    workers: Count
    slots: Count
    """Texts that its workers can write at the same time."""
    precisions: dict[str, int]
    """How many workers compute in which numbers."""


@with_config(DESCRIBED)
class Limits(TypedDict):
    """What a request may hold."""

    max_body_bytes: Count
    max_prompt_chars: Count
    max_json_depth: Count
    max_metadata_bytes: Count
    max_queued: Count
    max_items_of_a_batch: Count
    max_batch_items: Count
    max_batch_bytes: Count
    max_ttl_s: Seconds
    max_wait_s: Seconds
    default_wait_s: Seconds


@with_config(DESCRIBED)
class Info(TypedDict):
    """The models and the limits."""

    name: Literal["neoserve"]
    version: str
    models: list[ModelInfo]
    limits: Limits
