"""What the engine refuses or reports.

EngineError
├── InvalidRequest
├── RequestTooLong
└── EngineStopped
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine could not do what was asked."""

    code = "engine_error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (self.__doc__ or "").splitlines()[0])


class InvalidRequest(EngineError):
    """The request cannot be run as it stands."""

    code = "invalid_request"


class RequestTooLong(EngineError):
    """Prompt and new tokens together do not fit into the model's context."""

    code = "request_too_long"


class EngineStopped(EngineError):
    """The engine was stopped before the text was finished."""

    code = "engine_stopped"
