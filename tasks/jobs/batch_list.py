"""An owner's batches, the newest first, page by page."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.jobs.batch import Batch, decode_batch
from tasks.jobs.script import Scripts


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPage:
    """`before` leads to the next page; None: there is none. A page may have fewer batches than were asked
    for, even none, and still a next one."""

    batches: tuple[Batch, ...]
    before: int | None


class BatchLists:
    """The part of the batch store that lists."""

    _scripts: Scripts

    def list_batches(self, *, owner: str = "", limit: int = 20, before: int | None = None) -> BatchPage:
        """At most `limit` batches, the one started last first.

        A batch that is started between two pages is on neither, and moves no other. Raises StoreUnavailable.
        """
        below = "+inf" if before is None else before
        following, *entries = self._scripts.run("batch_list", owner, below, limit)
        return BatchPage(
            batches=tuple(decode_batch(*entry) for entry in entries),
            before=int(following) if following else None,
        )
