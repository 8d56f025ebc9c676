"""Reads streams of server-sent events: strictly, and as a client that obeys them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

ACCEPT = {"Accept": "text/event-stream"}


@dataclass(frozen=True)
class Sent:
    """An event; a comment has no name."""

    name: str
    data: Any = None
    id: str | None = None


def parse(lines: Iterable[str]) -> Iterator[Sent]:
    """Fails at what is neither an event of ours nor a comment nor `retry`."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, separator, value = line.partition(":")
            assert separator, line
            assert name not in fields, line
            fields[name] = value.removeprefix(" ")
            continue
        if set(fields) == {"retry"}:
            yield Sent("retry", int(fields["retry"]))
        elif set(fields) == {""}:
            yield Sent("")
        else:
            assert {"event", "data"} <= set(fields) <= {"event", "data", "id"}, fields
            yield Sent(fields["event"], json.loads(fields["data"]), fields.get("id"))
        fields = {}
    assert not fields, "the stream ended in the middle of an event"


def parse_bytes(data: bytes) -> list[Sent]:
    assert data.endswith(b"\n\n")
    return list(parse(data.decode("ascii").split("\n")[:-1]))


@dataclass
class Reader:
    """What somebody knows who was sent these events, by whatever connections."""

    seen: list[Sent] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)
    last_id: str | None = None
    job: dict[str, Any] | None = None

    def take(self, sent: Sent) -> None:
        self.seen.append(sent)
        self.last_id = sent.id or self.last_id
        if sent.name == "started":
            self.texts = {}
            self.attempts.append(sent.data["attempt"])
        elif sent.name == "token":
            row = sent.data["index"]
            self.texts[row] = self.texts.get(row, "") + sent.data["text"]
        elif sent.name == "done":
            assert self.job is None, "a job ends once"
            self.job = sent.data["job"]

    def take_all(self, events: Iterable[Sent]) -> Reader:
        for sent in events:
            self.take(sent)
        return self

    @property
    def names(self) -> list[str]:
        return [sent.name for sent in self.seen if sent.name]

    @property
    def text(self) -> str:
        """Of the first row, so far."""
        return self.texts.get(0, "")

    def check(self, prompt: str) -> None:
        """What was read is what the job's result says, row by row."""
        assert self.job is not None
        assert self.job["status"] == "succeeded"
        result = [row["generated_text"] for row in self.job["result"]]
        assert [prompt + self.texts.get(row, "") for row in range(len(result))] == result


class Following(threading.Thread):
    """Follows a job in a thread, from where `reader` is, until `enough` or the end of the stream."""

    def __init__(
        self,
        url: str,
        path: str,
        reader: Reader | None = None,
        *,
        enough: Callable[[Reader], object] = lambda _: False,
        timeout: float = 60,
    ) -> None:
        super().__init__(name="following")
        self.reader = reader or Reader()
        self.status = 0
        self.headers = httpx.Headers()
        self._url, self._path = url, path
        self._enough, self._timeout = enough, timeout

    def run(self) -> None:
        with follow(self._url, self._path, self.reader.last_id, timeout=self._timeout) as (answer, events):
            self.status, self.headers = answer.status_code, answer.headers
            for sent in events:
                self.reader.take(sent)
                if self._enough(self.reader):
                    return

    def result(self, seconds: float = 60) -> Reader:
        self.join(seconds)
        assert not self.is_alive(), f"the stream goes on: {self.reader.seen[-3:]}"
        return self.reader


@contextmanager
def follow(
    url: str, path: str, last_id: str | None = None, *, body: object = None, timeout: float = 60
) -> Iterator[tuple[httpx.Response, Iterator[Sent]]]:
    """The answer, and its events as they come. With a body it is a POST."""
    headers = ACCEPT | ({"Last-Event-ID": last_id} if last_id else {})
    method = "GET" if body is None else "POST"
    # Without the certificates that nobody needs here: reading them takes longer than all else.
    options = {"headers": headers, "timeout": timeout, "verify": False}
    with httpx.stream(method, url + path, json=body, **options) as answer:
        yield answer, parse(answer.iter_lines())
