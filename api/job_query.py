"""What `GET /jobs` may be asked: which states, how many jobs, from where on."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from api.errors import InvalidParameters
from api.request import given
from tasks.jobs.models import JobStatus

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
PARAMETERS = ("status", "limit", "cursor")
#: A sequence number; anything longer was made up.
SEQUENCE = re.compile(rb"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class JobQuery:
    statuses: tuple[JobStatus, ...] = ()  #: None given: all.
    limit: int = DEFAULT_LIMIT
    before: int | None = None

    def next_page(self, before: int) -> str:
        """The address of the page that comes after this one."""
        parameters: dict[str, str] = {"limit": str(self.limit), "cursor": write_cursor(before)}
        if self.statuses:
            parameters = {"status": ",".join(self.statuses), **parameters}
        return f"/jobs?{urlencode(parameters, safe=',')}"


def parse_job_query(query: MultiDict[str, str]) -> JobQuery:
    """Raises InvalidParameters for what cannot be used."""
    return JobQuery(
        statuses=parse_statuses(query.getlist("status")),
        limit=parse_limit(query.get("limit")),
        before=read_cursor(query["cursor"]) if "cursor" in query else None,
    )


def parse_statuses(values: list[str]) -> tuple[JobStatus, ...]:
    """`?status=failed,expired` and `?status=failed&status=expired` are the same."""
    names = {name: None for value in values for name in value.split(",")}
    for name in names:
        if name not in set(JobStatus):
            raise InvalidParameters.of(
                "status", f"must be one or more of {', '.join(JobStatus)} (given: {given('status', name)})"
            )
    return tuple(map(JobStatus, names))


def parse_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidParameters.of(
            "limit", f"must be a whole number from 1 to {MAX_LIMIT} (given: {given('limit', text)})"
        )
    return int(text)


def write_cursor(before: int) -> str:
    return base64.urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def read_cursor(text: str) -> int:
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):  # The latter: characters beyond ASCII.
        decoded = b""
    if not SEQUENCE.fullmatch(decoded):
        raise InvalidParameters.of("cursor", "must be that of an answer's `next`")
    return int(decoded)
