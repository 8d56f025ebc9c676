"""The list of one's own batches over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from api.batch_render import render_batch
from api.paging import PageQuery, answer_page
from api.query import parse_query
from api.service import STORE_SECONDS, current_service
from api.validators import keep_private
from tasks.jobs.deadline import time_limit

batch_list = Blueprint("batch_list", __name__)
batch_list.after_request(keep_private)


@batch_list.get("/batches")
def list_batches() -> Response:
    """The batches, the newest first, and where the next page is."""
    wanted = parse_query(PageQuery, request.args)
    with time_limit(STORE_SECONDS):
        page = current_service().batches.store.list_batches(
            owner=g.owner, limit=wanted.limit, before=wanted.cursor
        )
    following = None if page.before is None else wanted.next_page("/batches", page.before)
    return answer_page("batches", [render_batch(batch) for batch in page.batches], following)
