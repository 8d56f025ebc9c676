"""The span of a request, and what its job remembers of it."""

from __future__ import annotations

from flask import Response, g, request

from api.service import current_service
from tasks.jobs.models import Job
from tasks.jobs.origin import Origin, parse_traceparent


def begin_trace(method: str, route: str, *, quiet: bool) -> None:
    """Without a tracer, or for a `quiet` request, a job belongs to the client's own span, if there is one."""
    traceparent = parse_traceparent(request.headers.get("traceparent"))
    tracer = current_service().tracer
    g.span = None
    if tracer is not None and not quiet:
        attributes = {"http.request.method": method, "http.route": route, "neoserve.request.id": g.request_id}
        name = f"{method} {route}"
        g.span = tracer.span(name, kind="server", parent=traceparent, attributes=attributes)
        traceparent = g.span.traceparent
    g.origin = Origin(g.request_id, traceparent)


def link_to(job: Job) -> None:
    """This request is about a job that another one has made."""
    if g.span is not None:
        g.span.link(job.origin.traceparent)


def end_trace(response: Response) -> None:
    """The span of a stream ends with it: the client has it all, or has gone."""
    span = g.span
    if span is None:
        return
    span.set({"http.response.status_code": response.status_code})
    if g.job_id:
        span.set({"neoserve.job.id": g.job_id})
    if g.code:
        span.set({"neoserve.code": g.code})
    if response.status_code >= 500:
        span.fail(g.code or str(response.status_code))
    if response.is_streamed:
        response.call_on_close(span.end)
    else:
        span.end()
