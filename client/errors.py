"""What can go wrong on the client's side. The message is one plain line that ends with the remedy.

ClientError
├── WrongUsage           the command cannot mean what was typed
├── StartFailed          `neoserve up`, `api` or `worker` cannot start
├── JobFailed            the job ended without a result
├── ServiceUnavailable   nobody answers, or the service says "later"
│   └── QueueFull        ... because too many jobs wait
├── RequestRefused       the service will never accept this request
└── StillRunning         the job has not ended in the time given
"""

from __future__ import annotations

from typing import ClassVar


class ClientError(Exception):
    """The command could not be carried out."""

    exit_code: ClassVar[int] = 1


class WrongUsage(ClientError):
    """The command cannot mean what was typed."""

    exit_code = 2


class StartFailed(ClientError):
    """A part of the service cannot start."""


class JobFailed(ClientError):
    """The job ended without a result."""


class ServiceUnavailable(ClientError):
    """The service cannot be reached or asks to try again later."""

    exit_code = 3

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class QueueFull(ServiceUnavailable):
    """The service has as many waiting jobs as it takes."""


class RequestRefused(ClientError):
    """The service refused the request for good; `code` is the service's stable word for why."""

    exit_code = 4

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class StillRunning(ClientError):
    """The job has not ended in the time given."""

    exit_code = 5
