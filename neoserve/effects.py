"""What the protocol asks of whoever runs it: the same for threads and for an event loop.

A flow is a generator that yields effects, is sent what came of each, and returns its result. It knows no
sockets and no clock but the one it is given, so a test can be its network.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from neoserve.errors import Unreachable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. What comes of it is the Answer, with its whole body, or Unreachable."""

    method: str
    path: str  #: With the query.
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    wait_seconds: float = 0.0  #: So long the service may take, as it was asked to.


@dataclass(frozen=True, slots=True)
class Open:
    """A request whose body is read by pieces. An answer that is no 200 comes with its body all the same."""

    call: Call


@dataclass(frozen=True, slots=True)
class Read:
    """The next piece of the body opened last; None is its end. Or Unreachable."""


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds pass. Nothing comes of it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit:
    """Something for the caller, who takes it when he likes."""

    item: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service sent; names of headers in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""

    @property
    def json(self) -> Any:
        """None where it is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


Effect = Call | Open | Read | Pause | Emit
Outcome = Answer | Unreachable | bytes | None
Flow = Generator[Effect, Outcome, T]
