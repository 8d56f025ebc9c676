"""Who waits for a job that is canceled when the last of its clients hangs up."""

from __future__ import annotations

from tasks.jobs.script import Scripts
from tasks.jobs.store import JobStore

#: Longer than any call may wait; a stream renews it. So long a client counts whose API process has died.
LEASE_SECONDS = 90.0


class Attendance:
    """Of the clients of all API processes. Every method raises StoreUnavailable. Thread-safe."""

    def __init__(self, store: JobStore) -> None:
        self._scripts = Scripts(store.client, store.namespace)

    def attend(self, job_id: str, token: str) -> None:
        """The client with that token waits for the job, or still does."""
        self._scripts.run("attend", job_id, token, round(LEASE_SECONDS * 1000))

    def leave(self, job_id: str, token: str) -> int:
        """How many others wait for the job."""
        return int(self._scripts.run("leave", job_id, token))
