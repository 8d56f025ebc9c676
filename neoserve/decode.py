"""Parts of answers that several objects have. What a newer service adds is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from neoserve.errors import UnexpectedAnswer

Json = Mapping[str, Any]
T = TypeVar("T")


@contextmanager
def reading() -> Iterator[None]:
    """Around what takes an answer to pieces: another program at the address may have sent any JSON.

    Raises UnexpectedAnswer.
    """
    try:
        yield
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise UnexpectedAnswer("The address answered, but not as NeoServe does.") from None


def as_time(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True)
class Text:
    """One generated text, and why it ended there."""

    text: str
    finish_reason: str

    @classmethod
    def read_all(cls, rows: list[Json] | None) -> tuple[Text, ...]:
        return tuple(cls(row["generated_text"], row.get("finish_reason", "")) for row in rows or ())


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; those of all texts together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def read(cls, raw: Json | None) -> Usage | None:
        if raw is None:
            return None
        return cls(raw["prompt_tokens"], raw["completion_tokens"], raw["total_tokens"])


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended without a result."""

    code: str
    detail: str

    @classmethod
    def read(cls, raw: Json | None) -> Failure | None:
        return None if raw is None else cls(raw["code"], raw.get("detail", ""))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and the address of the next one."""

    items: tuple[T, ...]
    next: str | None

    @classmethod
    def reader(cls, name: str, read: Callable[[Json], T]) -> Callable[[Json], Page[T]]:
        return lambda raw: cls(tuple(read(each) for each in raw[name]), raw["next"])
