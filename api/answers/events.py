"""What the events of a stream carry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.job import Job, Queue
from api.answers.problem import Problem
from api.answers.values import DESCRIBED, Count, JobId


@with_config(DESCRIBED)
class QueuedEvent(Queue):
    """`queued`: the job waits; told first, and whenever its place has changed."""

    job_id: JobId


@with_config(DESCRIBED)
class StartedEvent(TypedDict):
    """`started`: the texts begin; whoever reads drops what came before."""

    job_id: JobId
    attempt: Annotated[int, Field(ge=1)]


@with_config(DESCRIBED)
class TokenEvent(TypedDict):
    """`token`: more of one text."""

    text: str
    index: Count
    """Which of the texts."""


@with_config(DESCRIBED)
class DoneEvent(TypedDict):
    """`done`: the job has ended, in whatever way. The last event."""

    job: Job


@with_config(DESCRIBED)
class ErrorEvent(TypedDict):
    """`error`: the stream cannot go on. The last event."""

    problem: Problem


#: By the name of the event.
EVENTS: dict[str, type] = {
    "queued": QueuedEvent,
    "started": StartedEvent,
    "token": TokenEvent,
    "done": DoneEvent,
    "error": ErrorEvent,
}
