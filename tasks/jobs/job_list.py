"""An owner's jobs, the newest first, page by page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tasks.jobs.backlog import placed
from tasks.jobs.models import Job, JobStatus
from tasks.jobs.record import decode_job
from tasks.jobs.script import Scripts

#: Jobs that one call looks at, however few of them are wanted: a millisecond or two of the server's time.
MAX_LOOKED_AT = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """`before` leads to the next page; None: there is none. A page may have fewer jobs than were asked for,
    even none, and still a next one."""

    jobs: tuple[Job, ...]
    before: int | None


class JobLists:
    """The part of the job store that lists."""

    _scripts: Scripts

    def list_jobs(
        self,
        *,
        owner: str = "",
        statuses: Collection[JobStatus] = (),
        limit: int = 20,
        before: int | None = None,
    ) -> JobPage:
        """At most `limit` jobs in one of these states (none given: in any), the one submitted last first.

        They come without prompt and result: `text` and `rows` are empty. A job that is submitted between two
        pages is on neither, and moves no other. Raises StoreUnavailable.
        """
        below = "+inf" if before is None else before
        following, *entries = self._scripts.run("list", owner, below, limit, MAX_LOOKED_AT, *statuses)
        return JobPage(
            jobs=tuple(placed(decode_job([*flat, "text", ""]), *place) for flat, *place in entries),
            before=int(following) if following else None,
        )
