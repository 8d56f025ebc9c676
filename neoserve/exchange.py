"""One question and its answer, asked again where that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from neoserve.decode import Json, reading
from neoserve.effects import Answer, Call, Flow, Open, Outcome
from neoserve.errors import NeoServeError, UnexpectedAnswer, Unreachable
from neoserve.patience import Patience
from neoserve.problem import error_of

T = TypeVar("T")


def verdict(outcome: Outcome) -> Answer | NeoServeError:
    """The answer where it is a success."""
    if isinstance(outcome, Unreachable):
        return outcome
    if not isinstance(outcome, Answer):
        raise TypeError("a request brings an answer")
    return outcome if 200 <= outcome.status < 300 else error_of(outcome)


def ask(call: Call, patience: Patience) -> Flow[Json]:
    """The JSON object that a success brings. Every call can be repeated: those that record carry a key."""
    while True:
        answer = verdict((yield call))
        if isinstance(answer, Answer):
            patience.restore()
            return read_object(answer)
        yield patience.pause(answer)


def ask_for(read: Callable[[Json], T], call: Call, patience: Patience) -> Flow[T]:
    """What `read` makes of that object."""
    raw = yield from ask(call, patience)
    with reading():
        return read(raw)


def read_object(answer: Answer) -> Json:
    content = answer.json
    if not isinstance(content, dict):
        raise UnexpectedAnswer(
            f"The address answered {answer.status}, but not as NeoServe does.", status=answer.status
        )
    return content


def open_body(call: Call, patience: Patience) -> Flow[Answer]:
    """The answer whose body can be read."""
    while True:
        answer = verdict((yield Open(call)))
        if isinstance(answer, Answer):
            return answer
        yield patience.pause(answer)
