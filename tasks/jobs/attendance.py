"""Who waits for a job that is canceled when the last of its clients hangs up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from tasks.jobs.script import Scripts
from tasks.jobs.store import JobStore

#: So long a client counts whose API process has died or cannot reach the server.
LEASE_SECONDS = 30.0

#: So long the last client that hung up may take to come back; then a reaper cancels the job.
GRACE_SECONDS = 1.0

#: The server does nothing else meanwhile.
CLIENTS_PER_CALL = 200


class Attendance:
    """Of the clients of all API processes. Every method raises StoreUnavailable, and may be repeated then.
    Thread-safe."""

    def __init__(self, store: JobStore) -> None:
        self._scripts = Scripts(store.client, store.namespace)

    def attend(self, clients: Sequence[tuple[str, str]]) -> None:
        """Each client, a job's id and a token of its own, waits for its job, or still does."""
        for first in range(0, len(clients), CLIENTS_PER_CALL):
            some = chain.from_iterable(clients[first : first + CLIENTS_PER_CALL])
            self._scripts.run("attend", round(LEASE_SECONDS * 1000), *some)

    def leave(self, job_id: str, token: str, *, hung_up: bool) -> int:
        """How many others wait for the job. Where that is none, the job is canceled soon if this client
        `hung_up` and nobody comes, and goes on for itself if it did not."""
        grace = round(GRACE_SECONDS * 1000) if hung_up else ""
        return int(self._scripts.run("leave", job_id, token, grace))
