"""Answers that are no success, as errors."""

from __future__ import annotations

from typing import Any

from neoserve import errors
from neoserve.batch import Batch
from neoserve.decode import reading
from neoserve.effects import Answer
from neoserve.errors import FieldError, JobFailed, NeoServeError, UnexpectedAnswer
from neoserve.job import Job

#: No place: nothing was recorded. `busy` and, by a setting, `queue_full` come as 503.
NO_PLACE = frozenset({"queue_full", "batches_full", "too_many_uploads", "busy"})

#: These carry a job or batch that is not in the wanted state, rather than one that has failed.
WRONG_STATE = frozenset({"job_finished", "batch_finished", "job_not_ended"})

FAMILIES: dict[int, type[NeoServeError]] = {
    401: errors.Unauthorized,
    403: errors.Unauthorized,
    404: errors.NotFound,
    408: errors.Unavailable,
    409: errors.Conflict,
    410: errors.Gone,
    429: errors.Overloaded,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


def error_of(answer: Answer) -> NeoServeError:
    """The error that this answer stands for. Raises UnexpectedAnswer for what only looks like one of ours."""
    problem = answer.json
    if isinstance(problem, dict) and "code" in problem:
        with reading():
            return problem_error(
                problem, answer.status, seconds(answer.headers), answer.headers.get("x-request-id")
            )
    if answer.status >= 500 or answer.status == 429:  # of a proxy before the service
        return family(answer.status, "")(
            f"The service's address answered {answer.status}.",
            status=answer.status,
            retry_after=seconds(answer.headers),
        )
    return UnexpectedAnswer(
        f"The address answered {answer.status}, but not as NeoServe does.", status=answer.status
    )


def problem_error(
    problem: dict[str, Any],
    status: int | None = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> NeoServeError:
    """Of a problem object (RFC 9457), as an answer or an event has it."""
    code = str(problem["code"])
    status = status or problem.get("status")
    words = str(problem.get("detail") or problem.get("title") or "")
    job = Job.read(problem["job"]) if isinstance(problem.get("job"), dict) else None
    kind = family(status or 500, code)
    if job is not None and job.ended and code not in WRONG_STATE:
        kind = {"canceled": errors.JobCanceled, "expired": errors.JobExpired}.get(job.status, JobFailed)
        words = f"Job {job.id} ended without a result: {words}"
    return kind(
        f"{words} [{code}]",
        code=code,
        status=status,
        retry_after=retry_after,
        request_id=request_id or problem.get("request_id"),
        errors=[FieldError(each["field"], each["message"]) for each in problem.get("errors", ())],
        job=job,
        batch=Batch.read(problem["batch"]) if isinstance(problem.get("batch"), dict) else None,
    )


def family(status: int, code: str) -> type[NeoServeError]:
    if code in NO_PLACE:
        return errors.Overloaded
    return FAMILIES.get(status, errors.ServerError if status >= 500 else errors.RequestRefused)


def seconds(headers: Any) -> float | None:
    """Of Retry-After; None without, and for a date, which no NeoServe sends."""
    value = headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None
