"""Waiting for an end, call after call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from neoserve import requests
from neoserve.decode import Json
from neoserve.effects import Flow, Pause
from neoserve.exchange import ask_for
from neoserve.patience import FOLLOWER_SECONDS, Patience, Persistence

#: One call; well below the minute after which proxies cut a silent one.
WAIT_SECONDS = 30.0

#: Between two questions, when the service answers at once although asked to wait.
POLL_SECONDS = 0.5


class Ending(Protocol):
    @property
    def ended(self) -> bool: ...


T = TypeVar("T", bound=Ending)


def end_of(timeout: float | None, persistence: Persistence) -> float:
    """On the clock."""
    return math.inf if timeout is None else persistence.clock() + timeout


def wait_before(end: float, persistence: Persistence) -> float:
    """Seconds that one call may wait."""
    return max(0.0, min(WAIT_SECONDS, end - persistence.clock()))


def poll(path: str, read: Callable[[Json], T], end: float, persistence: Persistence) -> Flow[T]:
    """What `path` shows when it has ended, or when the time is over. Rides out restarts of the API."""
    clock, patience = persistence.clock, Patience(persistence, at_least=FOLLOWER_SECONDS, end=end)
    while True:
        started, wait = clock(), wait_before(end, persistence)
        call = requests.get(requests.with_query(path, wait=f"{wait:.0f}"))
        found = yield from ask_for(read, replace(call, wait_seconds=wait), patience)
        if found.ended or clock() >= end:
            return found
        early = min(POLL_SECONDS, end - started) - (clock() - started)
        if early > 0:
            yield Pause(early)
