"""Why a request is refused.

ApiError
├── MalformedJson            400
├── IncompleteBody           400
├── Unauthorized             401
├── RequestTimeout           408
├── PayloadTooLarge          413
├── UnsupportedMediaType     415
├── InvalidParameters        422
│   └── PromptTooLong        422
├── InvalidHeader            422
├── DeadlineUnmeetable       422
├── JobFinished              409
├── JobNotEnded              409
├── BatchFinished            409
├── RateLimited              429
├── TooManyUploads           429
├── Unsuccessful             409, 500, 503, 504
│   └── JobUnsuccessful      409, 500, 503, 504
├── Busy                     503
└── Draining                 503
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from api.rate import Rate
from tasks.jobs.models import Job, JobError


class ApiError(Exception):
    """The request could not be served."""

    status: int = 500
    code: str = "internal_error"
    retry_after_seconds: int | None = None

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or inspect.cleandoc(self.__doc__ or "")
        super().__init__(self.detail)

    def members(self) -> Mapping[str, Any]:
        """What the problem document holds beyond the standard members."""
        return {}


class MalformedJson(ApiError):
    """The body is not valid JSON."""

    status = 400
    code = "malformed_json"


class IncompleteBody(ApiError):
    """The body ended early."""

    status = 400
    code = "incomplete_body"


class Unauthorized(ApiError):
    """The request needs a valid API key."""

    status = 401
    code = "unauthorized"


class RateLimited(ApiError):
    """The key has submitted too often."""

    status = 429
    code = "rate_limited"

    def __init__(self, rate: Rate, seconds: int) -> None:
        self.retry_after_seconds = seconds
        super().__init__(
            f"This key may submit {rate.amount} times in {rate.seconds} s; nothing was recorded."
        )


class RequestTimeout(ApiError):
    """The request did not arrive in time; send it again, on a new connection."""

    status = 408
    code = "request_timeout"


class PayloadTooLarge(ApiError):
    """The body is too large."""

    status = 413
    code = "payload_too_large"

    def __init__(self, limit: int, given: int | None) -> None:
        """In bytes; of a body that came without its length only the limit is known."""
        size = f"{given} bytes" if given else f"more than {limit} bytes"
        super().__init__(f"The body has {size}; the limit is {limit} bytes.")


class UnsupportedMediaType(ApiError):
    """The body must be JSON: send it with Content-Type: application/json."""

    status = 415
    code = "unsupported_media_type"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; never holds the prompt's text."""

    field: str
    message: str


class InvalidParameters(ApiError):
    """A field of the request cannot be used."""

    status = 422
    code = "invalid_parameter"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in self.errors))

    @classmethod
    def of(cls, field: str, message: str) -> InvalidParameters:
        return cls([FieldError(field, message)])

    def members(self) -> Mapping[str, Any]:
        return {"errors": [{"field": each.field, "message": each.message} for each in self.errors]}


class PromptTooLong(InvalidParameters):
    """The prompt leaves no room for a token."""

    code = "prompt_too_long"


class InvalidHeader(ApiError):
    """A header of the request cannot be used."""

    status = 422
    code = "invalid_header"


class DeadlineUnmeetable(ApiError):
    """The job could not start before its deadline."""

    status = 422
    code = "deadline_unmeetable"

    def __init__(self, estimated_wait_seconds: float, deadline_seconds: float) -> None:
        self.estimated_wait_seconds = estimated_wait_seconds
        self.deadline_seconds = deadline_seconds
        super().__init__(
            f"The job would start in about {estimated_wait_seconds:.1f} s, and deadline_s is "
            f"{deadline_seconds:g}; nothing was recorded."
        )

    def members(self) -> Mapping[str, Any]:
        return {
            "estimated_wait_s": round(self.estimated_wait_seconds, 1),
            "deadline_s": self.deadline_seconds,
        }


class Draining(ApiError):
    """This server is shutting down: send requests elsewhere."""

    status = 503
    code = "draining"
    retry_after_seconds = 1


class Busy(ApiError):
    """Too many clients wait at this server already; try again, or ask for the job without its events."""

    status = 503
    code = "busy"
    retry_after_seconds = 1


class JobFinished(ApiError):
    """The job has already finished; there is nothing to cancel."""

    status = 409
    code = "job_finished"

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__()


class JobNotEnded(ApiError):
    """The job has not ended, so it cannot be run once more; wait for its end or cancel it first."""

    status = 409
    code = "job_not_ended"

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__()


class BatchFinished(ApiError):
    """The batch has already ended; there is nothing to cancel."""

    status = 409
    code = "batch_finished"

    def __init__(self, batch: Mapping[str, Any]) -> None:
        """`batch` as clients see it."""
        self.batch = batch
        super().__init__()

    def members(self) -> Mapping[str, Any]:
        return {"batch": self.batch}


class TooManyUploads(ApiError):
    """This server reads as many batches at the moment as it can; send this one again."""

    status = 429
    code = "too_many_uploads"
    retry_after_seconds = 5


class Unsuccessful(ApiError):
    """What the call waited for ended without a result."""

    #: Status for the codes that are not a plain failure (500).
    STATUS_OF_CODE: ClassVar[Mapping[str, int]] = {
        "canceled": 409,
        "worker_lost": 503,
        "model_unavailable": 503,
        "deadline_exceeded": 504,
        "expired": 504,
    }

    def __init__(self, status: str, error: JobError | None) -> None:
        """By the job's status and error."""
        self.code = error.code if error else status
        self.status = self.STATUS_OF_CODE.get(self.code, 500)
        super().__init__(error.detail if error else f"The job ended as {status}.")


class JobUnsuccessful(Unsuccessful):
    """The job that the call waited for ended without a result."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(job.status.value, job.error)
