"""A job's events as they happen, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neoserve import requests
from neoserve.effects import Call, Emit, Flow, Pause, Read
from neoserve.errors import UnexpectedAnswer, Unreachable
from neoserve.exchange import open_body
from neoserve.lines import EventParser
from neoserve.patience import FOLLOWER_SECONDS, Patience, Persistence
from neoserve.transcript import Transcript

ACCEPT = {"Accept": "text/event-stream"}

#: The service breaks its silence every 15 seconds.
SILENCE_SECONDS = 30.0


def stream(body: Mapping[str, Any], key: str, persistence: Persistence) -> Flow[None]:
    """Emits the events of a new job. A lost connection before its id is known repeats the request."""
    call = requests.record("/predict", body, key, **ACCEPT)
    return follow(call, persistence, patient=False)


def events(job_id: str, persistence: Persistence) -> Flow[None]:
    """Emits the events of a job, from its beginning."""
    return follow(events_call(job_id), persistence, patient=True)


def events_call(job_id: str) -> Call:
    return Call(method="GET", path=requests.path_to("jobs", job_id, "/events"), headers=ACCEPT)


def follow(call: Call, persistence: Persistence, *, patient: bool) -> Flow[None]:
    patience = Patience(persistence, at_least=FOLLOWER_SECONDS if patient else 0.0)
    transcript = Transcript()
    while not transcript.ended:
        known = {"Last-Event-ID": transcript.last_id} if transcript.last_id else {}
        opened = replace(call, headers={**call.headers, **known}, wait_seconds=SILENCE_SECONDS)
        answer = yield from open_body(opened, patience)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise UnexpectedAnswer("The address did not answer with a stream of events.")
        if location := answer.headers.get("location"):
            call = events_call(location.rpartition("/")[2])
            patience = Patience(persistence, at_least=FOLLOWER_SECONDS)
        yield from read_events(transcript, patience)


def read_events(transcript: Transcript, patience: Patience) -> Flow[None]:
    """Until the end of the job, or of the connection: then after a pause, to come back."""
    parser = EventParser()
    pause: float | None = None
    while isinstance(piece := (yield Read()), bytes):
        for sent in parser.take(piece):
            patience.restore()
            if sent.name == "retry":
                pause = sent.data / 1000
            for event in transcript.take(sent):
                yield Emit(event)
    if not transcript.ended:
        lost = piece if isinstance(piece, Unreachable) else Unreachable("The stream broke off.")
        yield patience.pause(lost) if pause is None else Pause(pause)
