"""Whose request it is."""

from __future__ import annotations

from flask import Flask, g, request

from api.errors import Unauthorized
from api.keyring import Keyring

#: Endpoints that answer without a key: probes, and what shows no job and no model.
OPEN = frozenset(
    {
        *("service.healthz", "service.readyz", "page.index", "page.show_file"),
        *("reference.show_document", "reference.show_reference"),
    }
)

#: What an owner is called where nobody has a key.
NOBODY = ""


def register_authentication(app: Flask, keyring: Keyring) -> None:
    """Behind what counts and logs requests, before all that looks at them."""

    def authenticate() -> None:
        """Raises Unauthorized."""
        g.owner = NOBODY
        if not keyring or request.endpoint is None or request.endpoint in OPEN or request.method == "OPTIONS":
            return
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("This service asks for an API key: send `Authorization: Bearer KEY`.")
        owner = keyring.owner(key.strip())
        if owner is None:
            raise Unauthorized("The API key is not valid: it was never made here, or it was revoked.")
        g.owner = owner

    app.before_request(authenticate)
