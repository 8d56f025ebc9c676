"""What `GET /jobs` may be asked: which states, how many jobs, from where on."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.paging import PageQuery
from api.query import Query
from api.request import given
from tasks.jobs.models import JobStatus


def parse_statuses(values: Any) -> tuple[JobStatus, ...]:
    """`?status=failed,expired` and `?status=failed&status=expired` are the same."""
    values = [values] if isinstance(values, str) else values
    names = {name: None for value in values for name in value.split(",")}
    for name in names:
        if name not in set(JobStatus):
            raise PydanticCustomError(
                "status",
                "must be one or more of {known} (given: {given})",
                {"known": ", ".join(JobStatus), "given": given("status", name)},
            )
    return tuple(map(JobStatus, names))


class StatusQuery(Query):
    status: Annotated[tuple[JobStatus, ...], Field(min_length=1), BeforeValidator(parse_statuses)] = ()
    """In which states, with commas between or given several times; all, where it is not given."""


class JobsQuery(PageQuery, StatusQuery):
    def following(self, before: int) -> str:
        """The address of the page that comes after this one."""
        filters = {"status": ",".join(self.status)} if self.status else {}
        return self.next_page("/jobs", before, **filters)
