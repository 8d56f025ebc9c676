"""The list of one's own jobs over HTTP."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, g, request

from api.answers.job import ListedJob
from api.job_query import JobsQuery
from api.paging import answer_page
from api.query import parse_query
from api.render import render_job
from api.service import STORE_SECONDS, current_service
from api.validators import keep_private
from tasks.jobs.deadline import time_limit
from tasks.jobs.models import Job

job_list = Blueprint("job_list", __name__)
job_list.after_request(keep_private)


@job_list.get("/jobs")
def list_jobs() -> Response:
    """The jobs, the newest first, and where the next page is."""
    query = parse_query(JobsQuery, request.args)
    with time_limit(STORE_SECONDS):
        page = current_service().store.list_jobs(
            owner=g.owner, statuses=query.status, limit=query.limit, before=query.cursor
        )
    following = None if page.before is None else query.following(page.before)
    return answer_page("jobs", [render_listed(job) for job in page.jobs], following)


def render_listed(job: Job) -> ListedJob:
    """The job object without `result`: a hundred texts would be megabytes."""
    return cast(ListedJob, {name: value for name, value in render_job(job).items() if name != "result"})
