"""What a request holds that its route does not take: refused by name, since ignored it hides a mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Flask, request

from api.errors import FieldError, InvalidParameters
from api.job_query import JobsQuery
from api.json_body import read_body
from api.paging import PageQuery
from api.preference import WaitQuery
from api.query import Query
from api.request import MAX_ECHO_CHARS, MAX_ERRORS

#: The query parameters of each endpoint; one that is not here takes none.
QUERY: Mapping[str, type[Query]] = {
    "batch_list.list_batches": PageQuery,
    "batches.show_batch": WaitQuery,
    "job_list.list_jobs": JobsQuery,
    "jobs.predict": WaitQuery,
    "jobs.show_job": WaitQuery,
}

#: Blueprints whose addresses take any: probes, scrapers and browsers add what keeps caches away.
LENIENT = frozenset({"page", "reference", "service"})

#: The endpoints that take no body, and what to do instead of sending one.
BODILESS: Mapping[str, str] = {
    "batches.cancel_batch": "the address names the batch",
    "jobs.cancel_job": "the address names the job",
    "jobs.retry_job": "it repeats the job as it was; for another send POST /jobs",
}

#: What clients send that always send JSON is no body either.
NOTHING = re.compile(rb"\s*(\{\s*\})?\s*")


def register_surplus(app: Flask) -> None:
    app.before_request(refuse_surplus)


def refuse_surplus() -> None:
    """Raises InvalidParameters, and what read_body() raises."""
    if request.endpoint is None or request.blueprint in LENIENT:
        return
    refuse_parameters(tuple(QUERY.get(request.endpoint, Query).model_fields))
    if request.endpoint in BODILESS and not NOTHING.fullmatch(read_body(request)):
        raise InvalidParameters.of("body", f"this request takes none; {BODILESS[request.endpoint]}")


def refuse_parameters(known: tuple[str, ...]) -> None:
    message = f"is not a parameter of this request, which takes {', '.join(known) or 'none'}"
    unknown = [FieldError(name[:MAX_ECHO_CHARS], message) for name in request.args if name not in known]
    if unknown:
        raise InvalidParameters(unknown[:MAX_ERRORS])
