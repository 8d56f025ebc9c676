"""What a reader has been told of a job, so that nothing is told twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neoserve.decode import reading
from neoserve.events import Done, Event, Queued, Started, Token
from neoserve.job import Job
from neoserve.lines import Sent
from neoserve.problem import problem_error


class Transcript:
    """Turns what was sent, over however many connections, into each event once.

    A reader who comes back goes on behind `last_id`. Where the service has the events no more it sends all of
    the attempt again: of that only what goes beyond the texts that were told is told.
    """

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.ended = False
        self._attempt = 0
        self._told: dict[int, str] = {}
        self._again: dict[int, str] = {}  #: Of `_told`, what is expected to be sent again.

    def take(self, sent: Sent) -> Iterator[Event]:
        """Raises what an `error` event stands for."""
        with reading():
            yield from self._events(sent.name, sent.data)
        # After it was told, and not before: whoever stops in between comes back to it.
        self.last_id = sent.id or self.last_id

    def _events(self, name: str, data: Any) -> Iterator[Event]:
        if name == "queued":
            yield Queued(data["job_id"], data.get("position"), data.get("eta_s"))
        elif name == "started":
            yield from self._start(data["job_id"], data["attempt"])
        elif name == "token":
            yield from self._tell(data["index"], data["text"])
        elif name == "done":
            self.ended = True
            yield Done(Job.read(data["job"]))
        elif name == "error":
            raise problem_error(data["problem"])

    def _start(self, job_id: str, attempt: int) -> Iterator[Event]:
        if attempt == self._attempt:
            self._again = dict(self._told)
            return
        self._attempt, self._told, self._again = attempt, {}, {}
        yield Started(job_id, attempt)

    def _tell(self, index: int, text: str) -> Iterator[Event]:
        again = self._again.get(index, "")
        skipped = min(len(again), len(text))
        self._again[index] = again[skipped:]
        if text[skipped:]:
            self._told[index] = self._told.get(index, "") + text[skipped:]
            yield Token(text[skipped:], index)
