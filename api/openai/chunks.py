"""A job's text as the chunks of a completion: server-sent events that hold nothing but data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel

from api.errors import ApiError, Draining, JobUnsuccessful
from api.openai.answers import Completion, CompletionChoice, FinishReason, finish_reason, usage_of
from api.openai.errors import OpenAIError
from tasks.jobs.errors import JobsError
from tasks.jobs.events import Event, EventKind
from tasks.jobs.models import Job, JobStatus

DONE = b"data: [DONE]\n\n"


class TextChanged(ApiError):
    """The worker was lost, and the next one has made another text; ask for it as a whole."""

    status = 503
    code = "worker_lost"


Describe = Callable[[ApiError | JobsError], OpenAIError]


def data(body: BaseModel) -> bytes:
    # In ASCII: many clients split lines at every character that Unicode calls a line's end.
    text = json.dumps(body.model_dump(exclude_unset=True), separators=(",", ":"), allow_nan=False)
    return f"data: {text}\n\n".encode("ascii")


class Chunks:
    """What a JobStream tells. A client cannot take a text back: where a lost worker's job is run again, only
    what is new is sent, and where another text comes of it, the stream ends with an error."""

    def __init__(self, job: Job, *, include_usage: bool, describe: Describe) -> None:
        self.done: Event | None = None
        self._job = job
        self._include_usage = include_usage
        self._describe = describe
        prompt = job.text if job.parameters.return_full_text else ""
        self._start = [prompt] * job.parameters.num_return_sequences
        self._sent = [""] * job.parameters.num_return_sequences
        self._attempt = 0
        self._texts = list(self._start)  #: Of the attempt, as far as it was told.
        self._failed = False

    def queued(self, _: Job) -> bytes:
        return b""

    def recorded(self, events: Iterable[Event]) -> bytes:
        return b"".join(map(self._recorded, events))

    def ended(self, job: Job, _: str) -> bytes:
        return self.replayed(job)

    def replayed(self, job: Job) -> bytes:
        """What was not sent yet of the texts that the record has, and the end."""
        if job.status is not JobStatus.SUCCEEDED:
            return self._fail(JobUnsuccessful(job))
        rows = [
            self._advance(number, self._start[number] + row.text, finish_reason(row))
            for number, row in enumerate(job.rows)
        ]
        if self._failed:
            return b"".join(rows)
        usage = b""
        if self._include_usage:
            usage = data(self._completion([], usage=usage_of([job])))
        return b"".join([*rows, usage, DONE])

    def forget(self) -> None:
        """The server has lost events; the next ones are told from the start of the text."""
        self._attempt = 0

    def failed(self, error: JobsError) -> bytes:
        return self._fail(error)

    def interrupted(self) -> bytes:
        return self._fail(Draining("This server is shutting down in the middle of the text."))

    def _recorded(self, each: Event) -> bytes:
        if each.kind is EventKind.DONE:
            self.done = each
        if each.kind not in (EventKind.STARTED, EventKind.TOKEN):
            return b""
        if each.attempt != self._attempt:
            self._attempt = each.attempt
            self._texts = list(self._start)
        if each.kind is EventKind.STARTED:
            return b""
        self._texts[each.row] += each.text
        return self._advance(each.row, self._texts[each.row])

    def _advance(self, row: int, text: str, reason: FinishReason | None = None) -> bytes:
        sent = self._sent[row]
        if self._failed or (reason is None and sent.startswith(text)):
            return b""
        if not text.startswith(sent):
            return self._fail(TextChanged())
        self._sent[row] = text
        choice = CompletionChoice(text=text[len(sent) :], index=row, logprobs=None, finish_reason=reason)
        return data(self._completion([choice]))

    def _completion(self, choices: list[CompletionChoice], **members: Any) -> Completion:
        if self._include_usage:
            members.setdefault("usage", None)
        return Completion(
            id=self._job.id,
            object="text_completion",
            created=int(self._job.created_at),
            model=self._job.model,
            system_fingerprint=self._job.fingerprint,
            choices=choices,
            **members,
        )

    def _fail(self, error: ApiError | JobsError) -> bytes:
        """Once: nothing is to be sent behind an error."""
        if self._failed:
            return b""
        self._failed = True
        return data(self._describe(error))
