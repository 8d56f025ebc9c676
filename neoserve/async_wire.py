"""Runs flows on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import httpx

from neoserve.address import Address
from neoserve.effects import Answer, Call, Effect, Emit, Flow, Open, Outcome, Pause
from neoserve.wire import answer

T = TypeVar("T")


class AsyncWire:
    """`sleep` is for tests."""

    def __init__(
        self,
        address: Address,
        http: httpx.AsyncClient,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._address = address
        self._http = http
        self._sleep = sleep

    async def run(self, flow: Flow[T]) -> T:
        """The flow's result."""
        async with AsyncExchange(self._address, self._http, self._sleep) as exchange:
            outcome: Outcome = None
            while True:
                try:
                    effect = flow.send(outcome)
                except StopIteration as end:
                    result: T = end.value
                    return result
                outcome = await exchange.do(effect)

    async def each(self, flow: Flow[None]) -> AsyncGenerator[Any]:
        """What the flow emits, as it is asked for. Closing it closes the connection."""
        async with AsyncExchange(self._address, self._http, self._sleep) as exchange:
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
                    outcome = await exchange.do(effect)


class AsyncExchange:
    """Carries out effects, and holds the body that is being read."""

    def __init__(
        self, address: Address, http: httpx.AsyncClient, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._address = address
        self._http = http
        self._sleep = sleep
        self._body = AsyncExitStack()
        self._pieces: AsyncIterator[bytes]

    async def __aenter__(self) -> AsyncExchange:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._body.aclose()

    async def do(self, effect: Effect) -> Outcome:
        if isinstance(effect, Pause):
            await self._sleep(effect.seconds)
            return None
        try:
            if isinstance(effect, Call):
                return answer(await self._http.send(self._address.request(effect)))
            if isinstance(effect, Open):
                return await self._open(effect.call)
            return await anext(self._pieces, None)
        except httpx.RequestError as error:
            return self._address.lost(error)

    async def _open(self, call: Call) -> Answer:
        await self._body.aclose()
        response = await self._http.send(self._address.request(call), stream=True)
        self._body.push_async_callback(response.aclose)
        if response.status_code != httpx.codes.OK:
            await response.aread()
            return answer(response)
        self._pieces = response.aiter_bytes()
        return Answer(response.status_code, dict(response.headers))
