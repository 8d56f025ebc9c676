"""What `GET /jobs` may be asked: which states, how many jobs, from where on."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from api.errors import InvalidParameters
from api.paging import WantedPage, parse_page
from api.request import given
from tasks.jobs.models import JobStatus


@dataclass(frozen=True, slots=True)
class JobQuery:
    page: WantedPage
    statuses: tuple[JobStatus, ...] = ()  #: None given: all.

    def next_page(self, before: int) -> str:
        """The address of the page that comes after this one."""
        filters = {"status": ",".join(self.statuses)} if self.statuses else {}
        return self.page.next_page("/jobs", before, **filters)


def parse_job_query(query: MultiDict[str, str]) -> JobQuery:
    """Raises InvalidParameters for what cannot be used."""
    statuses = parse_statuses(query.getlist("status"))
    return JobQuery(page=parse_page(query), statuses=statuses)


def parse_statuses(values: list[str]) -> tuple[JobStatus, ...]:
    """`?status=failed,expired` and `?status=failed&status=expired` are the same."""
    names = {name: None for value in values for name in value.split(",")}
    for name in names:
        if name not in set(JobStatus):
            raise InvalidParameters.of(
                "status", f"must be one or more of {', '.join(JobStatus)} (given: {given('status', name)})"
            )
    return tuple(map(JobStatus, names))
