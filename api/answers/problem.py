"""The shape of every refusal."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.batch import Batch
from api.answers.job import Job
from api.answers.values import DESCRIBED, JobId


@with_config(DESCRIBED)
class FieldProblem(TypedDict):
    """What is wrong with one field or parameter."""

    field: str
    """Its name; of something inside it the path, with dots."""
    message: str
    """In words, with the limit and what was given."""


@with_config(DESCRIBED)
class Problem(TypedDict):
    """RFC 9457. `code` never changes; it is what a program should look at."""

    type: Literal["about:blank"]
    title: str
    """The status in words."""
    status: Annotated[int, Field(ge=400, le=599)]
    code: str
    """Why, for programs."""
    detail: str
    """Why, in words."""
    request_id: str
    """Finds the request in the service's logs; also the header `X-Request-Id`."""
    errors: NotRequired[Annotated[list[FieldProblem], Field(min_length=1, max_length=20)]]
    """Of `invalid_parameter` and its like: what is wrong with which field."""
    job: NotRequired[Job]
    """The job that the request was about, where it stands in the way or has failed."""
    job_id: NotRequired[JobId]
    """Of `idempotency_key_reused`: the job that the key belongs to."""
    batch: NotRequired[Batch]
    """Of `batch_finished`: the batch as it ended."""
    estimated_wait_s: NotRequired[float]
    """Of `deadline_unmeetable`: seconds until the job would have started."""
    deadline_s: NotRequired[float]
    """Of `deadline_unmeetable`: as it was given."""
