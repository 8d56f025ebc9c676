"""The Redis names that are read outside the scripts."""

from __future__ import annotations


def events_key(namespace: str, job_id: str) -> str:
    """Stream of a job: entries `started`, `token` and `done`, each with `attempt`.

    A `token` has the `text` and as `index` the row that it continues.
    """
    return f"{namespace}:events:{job_id}"


def ended_channel(namespace: str) -> str:
    """Pub/sub channel of the jobs that end: the id, a space, and as JSON what HGETALL says of the record, or
    nothing where that is large."""
    return f"{namespace}:ended"
