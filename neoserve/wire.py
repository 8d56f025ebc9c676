"""Runs flows with threads' means: blocking calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import httpx

from neoserve.address import Address
from neoserve.effects import Answer, Call, Effect, Emit, Flow, Open, Outcome, Pause

T = TypeVar("T")


class Wire:
    """`sleep` is for tests."""

    def __init__(
        self, address: Address, http: httpx.Client, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._address = address
        self._http = http
        self._sleep = sleep

    def run(self, flow: Flow[T]) -> T:
        """The flow's result."""
        with Exchange(self._address, self._http, self._sleep) as exchange:
            outcome: Outcome = None
            while True:
                try:
                    effect = flow.send(outcome)
                except StopIteration as end:
                    result: T = end.value
                    return result
                outcome = exchange.do(effect)

    def each(self, flow: Flow[None]) -> Generator[Any]:
        """What the flow emits, as it is asked for. Closing it closes the connection."""
        with Exchange(self._address, self._http, self._sleep) as exchange:
            outcome: Outcome = None
            while True:
                try:
                    effect = flow.send(outcome)
                except StopIteration:
                    return
                if isinstance(effect, Emit):
                    yield effect.item
                    outcome = None
                else:
                    outcome = exchange.do(effect)


class Exchange:
    """Carries out effects, and holds the body that is being read."""

    def __init__(self, address: Address, http: httpx.Client, sleep: Callable[[float], None]) -> None:
        self._address = address
        self._http = http
        self._sleep = sleep
        self._body = ExitStack()
        self._pieces: Iterator[bytes]

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self._body.close()

    def do(self, effect: Effect) -> Outcome:
        if isinstance(effect, Pause):
            self._sleep(effect.seconds)
            return None
        try:
            if isinstance(effect, Call):
                return answer(self._http.send(self._address.request(effect)))
            if isinstance(effect, Open):
                return self._open(effect.call)
            return next(self._pieces, None)
        except httpx.RequestError as error:
            return self._address.lost(error)

    def _open(self, call: Call) -> Answer:
        self._body.close()
        response = self._http.send(self._address.request(call), stream=True)
        self._body.callback(response.close)
        if response.status_code != httpx.codes.OK:
            response.read()
            return answer(response)
        self._pieces = response.iter_bytes()
        return Answer(response.status_code, dict(response.headers))


def answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)
