"""Answers that a client may ask for again and get only when they have changed (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib

from flask import Request, Response


def unless_known(response: Response, request: Request) -> Response:
    """The answer with an ETag, or a 304 without a body when `If-None-Match` names that tag.

    The tag is a hash of the body: it changes whenever the client would see something else, and it is the
    same on every API replica.
    """
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    # Others may not keep it, and its owner must ask before using it again.
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response
