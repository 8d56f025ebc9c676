"""Lets time pass for a job store: everything that it has recorded is moved into the past."""

from __future__ import annotations

from tasks.jobs.store import JobStore

_SETS_SCORED_BY_TIME = ("due", "index", "leases", "queued", "registered", "seen", "workers")
_TIMES_OF_A_JOB = ("created_at", "deadline_at", "started_at", "first_token_at", "completed_at", "expires_at")


def let_pass(store: JobStore, seconds: float) -> None:
    """As if the server's clock had moved on; works on a real server too."""
    by_ms = round(seconds * 1000)
    for key in list(store.client.scan_iter(f"{store.namespace}:*")):
        name = key.removeprefix(f"{store.namespace}:")
        if name in _SETS_SCORED_BY_TIME:
            for member in store.client.zrange(key, 0, -1):
                store.client.zincrby(key, -by_ms, member)
        elif name.startswith("job:"):
            _age_job(store, key, by_ms)
        _age_expiry(store, key, by_ms)


def _age_job(store: JobStore, key: str, by_ms: int) -> None:
    times = store.client.hmget(key, _TIMES_OF_A_JOB)
    aged = {name: int(time) - by_ms for name, time in zip(_TIMES_OF_A_JOB, times, strict=True) if time}
    store.client.hset(key, mapping=aged)


def _age_expiry(store: JobStore, key: str, by_ms: int) -> None:
    left_ms = store.client.pttl(key)
    if left_ms > by_ms:
        store.client.pexpire(key, left_ms - by_ms)
    elif left_ms > 0:
        store.client.delete(key)
