"""What the engine refuses or reports.

EngineError
├── InvalidRequest
├── RequestTooLong
└── EngineStopped

RunnerBroken is none of them: it ends the engine itself.
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


class RunnerBroken(BaseException):
    """The runner cannot run anything any more in this process.

    It ends the engine's thread, and so is no Exception: it must get past all that lets a row fail alone.
    """
