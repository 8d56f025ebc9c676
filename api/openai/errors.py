"""Errors below /v1, in the shape that OpenAI's clients read."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

PREFIX = "/v1"

#: Codes that those clients know, for ours.
CODES: Mapping[str, str] = {
    "not_found": "unknown_url",
    "prompt_too_long": "context_length_exceeded",
    "rate_limited": "rate_limit_exceeded",
    "unauthorized": "invalid_api_key",
    "unknown_model": "model_not_found",
}

#: Where OpenAI answers with another status than we do elsewhere.
STATUS_OF_CODE: Mapping[str, int] = {"unknown_model": 404}

#: What a field of a job is called there.
FIELDS: Mapping[str, str] = {
    "text": "prompt",
    "requests": "prompt",
    "max_new_tokens": "max_tokens",
    "num_return_sequences": "n",
    "do_sample": "temperature",
}

#: Addresses of OpenAI's API that many clients try, and why there is nothing.
ABSENT: Mapping[str, str] = {
    "/v1/chat/completions": "This is a base model: it continues texts and was not taught to chat.",
    "/v1/responses": "This is a base model: it continues texts and was not taught to chat.",
    "/v1/embeddings": "The models here make texts, no embeddings.",
}

PRESENT = "Here are POST /v1/completions, GET /v1/models and GET /v1/models/<model>."


class OpenAIErrorDetail(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """Why, in words."""
    type: Literal["invalid_request_error", "requests", "server_error"]
    """By the status: 4xx, 429, 5xx."""
    param: str | None
    """The first field that cannot be used."""
    code: str
    """Why, for programs."""


class OpenAIError(BaseModel):
    """As OpenAI's clients read it."""

    error: OpenAIErrorDetail


def speaks_openai(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def openai_error(status: int, code: str, detail: str, members: Mapping[str, Any]) -> tuple[int, OpenAIError]:
    """Status and body, for what is a problem of that status, code, detail and members elsewhere."""
    # All prompts of a list may have the same to say.
    errors = list(dict.fromkeys(named(**each) for each in members.get("errors", ())))
    if any(each["field"].endswith("max_new_tokens") for each in members.get("errors", ())):
        code = "prompt_too_long"  # OpenAI has one code for what does not fit together.
    if code == "unknown_model":
        detail = f"{detail} GET /v1/models lists those that there are."
    elif errors:
        detail = "; ".join(f"{field}: {message}" for field, message in errors)
    param = errors[0][0] if errors else None
    status = status_of(code, status)
    error = OpenAIErrorDetail(message=detail, type=type_of(status), param=param, code=code_of(code))
    return status, OpenAIError(error=error)


def status_of(code: str, status: int) -> int:
    """Of what has that code and status elsewhere."""
    return STATUS_OF_CODE.get(code, HTTPStatus.BAD_REQUEST.value if status == 422 else status)


def code_of(code: str) -> str:
    return CODES.get(code, code)


def named(field: str, message: str) -> tuple[str, str]:
    """`requests.3.text` is the fourth prompt; what else an item has is the same for all."""
    parts = field.split(".")
    if parts[0] == "requests" and len(parts) == 3:
        parts = ["prompt", parts[1]] if parts[2] == "text" else [parts[2]]
    parts[0] = FIELDS.get(parts[0], parts[0])
    return ".".join(parts), message


def should_not_retry(status: int, *, rejected: bool) -> bool:
    """OpenAI's clients send again what got 409 or any 5xx. It is of no use where a job has ended so, or where
    nobody would wait longer the next time."""
    return status in (HTTPStatus.CONFLICT, HTTPStatus.GATEWAY_TIMEOUT) or (status == 500 and not rejected)


def type_of(status: int) -> Literal["invalid_request_error", "requests", "server_error"]:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "requests"
    return "server_error" if status >= 500 else "invalid_request_error"


def nothing_there(path: str) -> str:
    """Why an address below /v1 is none."""
    return f"{ABSENT[path]} {PRESENT}" if path in ABSENT else PRESENT
