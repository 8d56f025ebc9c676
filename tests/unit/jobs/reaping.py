"""A reaper whose clock and server are the test's."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from tasks.jobs.errors import StoreUnavailable
from tasks.jobs.protocol import ReapReport
from tasks.jobs.reaper import Reaper
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.time_travel import let_pass


class RestartableStore(JobStore):
    """A server that can restart; fakeredis knows no INFO."""

    run_id = "first"
    away = False
    refuses_writes = False
    refuses_scripts = False
    num_refused = 0

    def server_run_id(self) -> str:
        if self.away:
            self.num_refused += 1
            raise StoreUnavailable
        return self.run_id

    def reap(self, *, away_seconds: float = 0.0) -> ReapReport:
        if self.refuses_writes or self.refuses_scripts:
            raise StoreUnavailable
        return super().reap(away_seconds=away_seconds)

    def ring_for_waiting(self, ring_list: str, rings: Sequence[str] = ()) -> int:
        if self.refuses_scripts:
            raise StoreUnavailable
        return super().ring_for_waiting(ring_list, rings)

    def ping(self) -> None:
        if self.refuses_writes:
            raise StoreUnavailable


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ReaperUnderTest:
    def __init__(self, client: redis.Redis) -> None:
        self.store = RestartableStore(client)
        self.ring = RecordingRing()
        self.clock = FakeClock()
        self.reaper = Reaper(self.store, self.ring, self.clock)

    def tick_after(self, *seconds: float) -> list[bool]:
        """Whether each of the ticks reaped."""
        reaped = []
        for pause in seconds:
            self.clock.now += pause
            reaped.append(self.reaper.tick() is not None)
        return reaped

    def live(self, *seconds: float) -> None:
        """Ticks after pauses that pass for the server too."""
        for pause in seconds:
            let_pass(self.store, pause)
            self.tick_after(pause)

    def restart_server(self) -> None:
        self.store.run_id += "again"

    def past_first_lease(self) -> None:
        self.tick_after(0, 4, 4, 4)

    @property
    def rung(self) -> list[str]:
        """Ids that the rings name which nobody has heard, the next one first."""
        return list(reversed(self.store.client.lrange(self.ring.list, 0, -1)))
