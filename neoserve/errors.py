"""What a call can raise. The message is one plain line; `code` is what a program should look at.

NeoServeError
├── Unreachable          nobody answers, or the connection broke
├── UnexpectedAnswer     whoever answers is not NeoServe, or not as this library knows it
├── NotEnded             the job or batch has not ended in the time given; it goes on
├── RequestRefused       this request will never be accepted (400, 413, 415, 422, …)
│   ├── Unauthorized     the API key is missing or wrong, or may not do this (401, 403)
│   ├── NotFound         no such job, batch or address (404)
│   │   └── Gone         its time in store is over (410)
│   └── Conflict         not in the state that it is in (409)
├── Overloaded           the service has as much to do as it takes (429, or 503 for want of a place)
├── Unavailable          the service cannot do it now (408, 502, 503, 504)
├── ServerError          a mistake of the service's (any other 5xx)
└── JobFailed            the job ended without a result; it is in `job`
    ├── JobCanceled      … because somebody canceled it
    └── JobExpired       … because its deadline passed before it began
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neoserve.batch import Batch
    from neoserve.job import Job


@dataclass(frozen=True, slots=True)
class FieldError:
    """One mistake in a request."""

    field: str
    message: str


class NeoServeError(Exception):
    """A call that could not be carried out.

    `code` and `status` are those of the service's problem; the code is empty and the status None where no
    service has spoken. `retry_after` is in seconds, as the service said. `request_id` finds the call in the
    service's log.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        errors: Sequence[FieldError] = (),
        job: Job | None = None,
        batch: Batch | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id
        self.errors = tuple(errors)
        self.job = job
        self.batch = batch


class Unreachable(NeoServeError):
    """Nobody answers, or the connection broke: whether the service has done it is unknown."""


class UnexpectedAnswer(NeoServeError):
    """Whoever answers is not NeoServe, or not as this library knows it."""


class NotEnded(NeoServeError):
    """The job or batch has not ended in the time given. It goes on, and is in `job` or `batch`."""


class RequestRefused(NeoServeError):
    """This request will never be accepted; `errors` names each mistake."""


class Unauthorized(RequestRefused):
    """The API key is missing or wrong, or may not do this."""


class NotFound(RequestRefused):
    """No such job, batch or address."""


class Gone(NotFound):
    """The job or batch has ended and its time in store is over."""


class Conflict(RequestRefused):
    """The job or batch is in another state than this needs."""


class Overloaded(NeoServeError):
    """The service has as much to do as it takes; nothing was recorded."""


class Unavailable(NeoServeError):
    """The service cannot do it now. Whether it has done something is unknown."""


class ServerError(NeoServeError):
    """A mistake of the service's."""


class JobFailed(NeoServeError):
    """The job ended without a result; the text that was there by then is in `job`."""


class JobCanceled(JobFailed):
    """Somebody canceled the job."""


class JobExpired(JobFailed):
    """The job's deadline passed before it began."""
