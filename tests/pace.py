"""A measured pace, without the half minute of work that it takes to measure one."""

from __future__ import annotations

from tasks.jobs.store import JobStore
from tests.factories import FINGERPRINT


def set_pace(store: JobStore, tokens_per_second: float, fingerprint: str = FINGERPRINT) -> None:
    """As if the workers with this model had been busy for the last 20 seconds."""
    seconds, microseconds = store.client.time()
    flow = {
        "told_at": seconds * 1000 + microseconds // 1000,
        "run_ms": 20_000,
        "run_tokens": 20 * tokens_per_second,
    }
    store.client.hset(f"{store.namespace}:flow:{fingerprint}", mapping=flow)
