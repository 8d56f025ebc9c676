"""A log line with fields, for people and for programs."""

from __future__ import annotations

from typing import Any

from tasks.jobs.models import Job


class LogLine:
    """To be logged in place of a text: `log.info(LogLine("is queued again", job_id=job.id))`.

    As text it is `job_id=… is queued again`; in JSON its fields are members of the line besides. Fields that
    are None or empty are `-` in the text, and absent in JSON. None may hold anything private.
    """

    __slots__ = ("_fields", "_message")

    def __init__(self, message: str = "", /, **fields: Any) -> None:
        self._message = message
        self._fields = fields

    @property
    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in self._fields.items() if value not in (None, "")}

    def __str__(self) -> str:
        words = [f"{name}={'-' if value in (None, '') else value}" for name, value in self._fields.items()]
        return " ".join((*words, self._message) if self._message else words)


def about(job: Job) -> dict[str, Any]:
    """The fields of every line about a job: the request is the one that made it."""
    fields = {"job_id": job.id, "attempt": job.attempt, "request_id": job.origin.request_id}
    return {**fields, "trace_id": job.origin.trace_id} if job.origin.traceparent else fields
