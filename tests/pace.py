"""A measured pace, without the half minute of work that it takes to measure one; and workers without room."""

from __future__ import annotations

from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT

#: More texts than the workers of any test have slots.
NO_ROOM = 1_000_000


def take_all_slots(store: JobStore, fingerprint: str = FINGERPRINT) -> None:
    """As if the workers with this model had no room left."""
    store.client.hset(f"{store.namespace}:flow:{fingerprint}", "rows", NO_ROOM)


def set_pace(
    store: JobStore, tokens_per_second: float, fingerprint: str = FINGERPRINT, *, busy: bool = True
) -> None:
    """As if the workers with this model had been busy for the last 20 seconds, and still were."""
    seconds, microseconds = store.client.time()
    flow = {
        "told_at": seconds * 1000 + microseconds // 1000,
        "run_ms": 20_000,
        "run_tokens": 20 * tokens_per_second,
    }
    store.client.hset(f"{store.namespace}:flow:{fingerprint}", mapping=flow)
    if busy:
        take_all_slots(store, fingerprint)
