"""An app whose every answer is held against its own document, whatever a test is about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import ClosingIterator

from api.openapi.document import path_of
from api.openapi.routes import EXTENSION
from tests.contract import Contract

Environ = dict[str, Any]
Exchange = tuple[str, str]


class CheckedFlask(Flask):
    """A stream is checked when it is over or left."""

    @property
    def contract(self) -> Contract:
        files = self.extensions[EXTENSION]
        settings = repr(files.settings)  # Secrets are not in it, nor in the document.
        return contract_of(self, settings, asks_for_keys=files.asks_for_keys)

    def wsgi_app(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        told: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            told.update(status=int(status[:3]), headers=dict(headers))
            return start_response(status, headers, *more)

        pieces = super().wsgi_app(environ, start)
        exchange = self._exchange(environ)
        if exchange is None or told["status"] == 405:
            return pieces
        return self._checked(exchange, told, pieces)

    def _exchange(self, environ: Environ) -> Exchange | None:
        """Path and method in the document."""
        method = environ["REQUEST_METHOD"]
        try:
            rule, _ = self.url_map.bind_to_environ(environ).match(return_rule=True)
        except HTTPException:
            return None
        return None if method == "OPTIONS" else (path_of(rule), "GET" if method == "HEAD" else method)

    def _checked(self, exchange: Exchange, told: dict[str, Any], pieces: Iterable[bytes]) -> Iterable[bytes]:
        def whole() -> Iterator[bytes]:
            seen = bytearray()
            try:
                for piece in pieces:
                    seen += piece
                    yield piece
            finally:
                if seen or told["status"] in (204, 304):
                    self.contract.check(*exchange, told["status"], told["headers"], bytes(seen))

        return ClosingIterator(whole(), [getattr(pieces, "close", lambda: None)])


#: Tests make thousands of apps, with few settings.
CONTRACTS: dict[tuple[str, bool], Contract] = {}


def contract_of(app: Flask, settings: str, *, asks_for_keys: bool) -> Contract:
    key = settings, asks_for_keys
    if key not in CONTRACTS:
        CONTRACTS[key] = Contract(json.loads(app.extensions[EXTENSION].document.content))
    return CONTRACTS[key]
