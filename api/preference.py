"""How long a client wants to wait: `Prefer: wait=N`, `Prefer: respond-async` (RFC 7240), `?wait=N`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from flask import Request, Response
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.query import Query, parse_query
from api.settings import MAX_WAIT_SECONDS
from api.waiting import Each, Waited

SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?")


def check_seconds(text: Any) -> float:
    if not isinstance(text, str) or not SECONDS.fullmatch(text) or float(text) > MAX_WAIT_SECONDS:
        raise PydanticCustomError(
            "seconds", "must be a number of seconds from 0 to {limit}", {"limit": f"{MAX_WAIT_SECONDS:g}"}
        )
    return float(text)


Seconds = Annotated[
    float,
    Field(ge=0, le=MAX_WAIT_SECONDS, json_schema_extra={"multipleOf": 0.001}),
    BeforeValidator(check_seconds),
]


class WaitQuery(Query):
    wait: Seconds | None = None
    """How many seconds the answer is held back, at most, until the end is there. `Prefer` comes before it."""


@dataclass(frozen=True, slots=True)
class Preference:
    """`applied` is what Preference-Applied says; empty when the client stated no preference."""

    wait_seconds: float
    applied: str = ""


def wait_preference(request: Request, default_seconds: float) -> Preference:
    """The Prefer header before `?wait=` before the default.

    A preference that cannot be met is met as far as possible or passed over, as RFC 7240 demands; a query
    parameter is an order: InvalidParameters when it is not a number from 0 to 60.
    """
    wait = parse_query(WaitQuery, request.args).wait
    asked = prefer_header(request.headers.getlist("Prefer"))
    return asked or Preference(default_seconds if wait is None else wait)


def with_preference(response: Response, preference: Preference, waited: Waited[Each]) -> Response:
    """Preference-Applied (RFC 7240) unless the call was handed over before its time."""
    if preference.applied and waited.handover in (None, "timeout"):
        response.headers["Preference-Applied"] = preference.applied
    return response


def prefer_header(values: list[str]) -> Preference | None:
    preferences: dict[str, str] = {}
    for item in ",".join(values).split(","):
        name, _, value = item.partition(";")[0].partition("=")
        preferences.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = preferences.get("wait", "")
    if SECONDS.fullmatch(wait):
        seconds = min(float(wait), MAX_WAIT_SECONDS)
        return Preference(seconds, f"wait={seconds:g}")
    if "respond-async" in preferences:
        return Preference(0, "respond-async")
    return None
