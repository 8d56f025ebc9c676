"""What the document says of one route and method, besides what types and settings say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Content:
    """A body in one media type: `kind` is the type of a JSON body, None that of any text."""

    media_type: str
    kind: Any = None
    examples: Mapping[str, Any] = field(default_factory=dict)  #: By a name in words.
    description: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` are names in api.openapi.headers; each is always there but those with a `?` behind it."""

    status: int
    description: str
    contents: tuple[Content, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Another shape of what is refused than a problem. From a problem's code and status `status_of` makes the
    status, and `code_of` from the code the one that it has there."""

    content: Content
    status_of: Callable[[str, int], int]
    code_of: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`id` names the call in generated clients. Parameters of the query are those of api.surplus."""

    id: str
    tag: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    codes: tuple[str, ...] = ()  #: Problems beyond those that any request may meet.
    headers: tuple[str, ...] = ()  #: Names in api.openapi.headers.
    body: tuple[Content, ...] = ()
    refusal: Refusal | None = None  #: What the server itself refuses is a problem all the same.


def json_of(kind: Any, **examples: Any) -> tuple[Content, ...]:
    named = {name.replace("_", " "): example for name, example in examples.items()}
    return (Content(JSON, kind, named),)
