"""The reaper's side of the job store: jobs whose worker, place or ring is lost."""

from __future__ import annotations

from collections.abc import Sequence

import redis
from redis.exceptions import ResponseError

from tasks.jobs.protocol import ReapReport
from tasks.jobs.record import is_neighbour
from tasks.jobs.script import Scripts, unavailable_as_such

LEASE_SECONDS = 10.0

#: As often may a job lose its worker; then it has failed.
MAX_LOSSES = 3

#: So many rings more than jobs do no harm, and are heard sooner than it would pay to look at each.
SPARE_RINGS = 200


class Upkeep:
    """The part of the job store that repairs. Any process may, at any time; every method raises
    StoreUnavailable."""

    client: redis.Redis
    namespace: str
    _scripts: Scripts

    def reap(self, *, away_seconds: float = 0.0) -> ReapReport:
        """Take jobs from workers that stopped renewing, end those past their time, cancel those whose clients
        have hung up, trim the indexes, put back jobs whose index somebody has deleted. A lease lasts
        `away_seconds` longer than it says."""
        totals: dict[str, int] = {}
        more = True
        while more:
            flat = self._scripts.run("reap", MAX_LOSSES, round(away_seconds * 1000))
            counts = dict(zip(flat[::2], flat[1::2], strict=True))
            more = counts.pop("more", 0) == 1
            num_queued = counts.pop("num_queued")
            totals = {
                name: totals.get(name, 0) + counts.get(name, 0) for name in totals.keys() | counts.keys()
            }
        if totals.pop("astray", 0):
            totals["restored"] = self._restore()
            num_queued = self.num_queued()
        return ReapReport(num_queued=num_queued, **totals)

    def _restore(self) -> int:
        """How many jobs are back."""
        total = offset = 0
        while True:
            looked_at, restored = self._scripts.run("restore", round(LEASE_SECONDS * 1000), offset)
            if not looked_at:
                return total
            total, offset = total + restored, offset + looked_at

    def num_queued(self) -> int:
        """Jobs that wait, unclaimed."""
        with unavailable_as_such():
            return int(self.client.zcard(f"{self.namespace}:queued"))

    def oldest_queued(self, count: int) -> list[str]:
        """Ids of the jobs that wait longest."""
        with unavailable_as_such():
            return [str(job_id) for job_id in self.client.zrange(f"{self.namespace}:queued", 0, count - 1)]

    def ring_for_waiting(self, ring_list: str, rings: Sequence[str] = ()) -> int:
        """How many rings were missing, one for each job that waits. As many of `rings` are added and none
        beyond, whoever else does the same at this moment. A large surplus is taken away."""
        return int(self._scripts.run("rings", ring_list, SPARE_RINGS, *rings))

    def far_versions(self) -> list[int]:
        """Schema versions not next to this one that have written here, of which jobs may be left."""
        with unavailable_as_such():
            written = self.client.zrange(f"{self.namespace}:schemas", 0, -1)
        versions = [int(version) for version in map(str, written) if version.isdecimal()]
        return [version for version in versions if not is_neighbour(version)]

    def server_run_id(self) -> str:
        """Another one after every restart of the server; empty where the server does not tell."""
        with unavailable_as_such():
            try:
                return str(self.client.info("server").get("run_id", ""))
            except ResponseError:
                return ""  # INFO is often forbidden to restricted users.
