"""Who may keep an answer: no cache, and clients that ask whether it has changed (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib

from flask import Request, Response


def keep_private(response: Response) -> Response:
    """Prompts and texts belong in nobody's cache, except where a route says otherwise."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def unless_known(response: Response, request: Request) -> Response:
    """The answer with an ETag, or a 304 without a body when `If-None-Match` names that tag.

    The tag is a hash of the body: it changes whenever the client would see something else, and it is the
    same on every API replica.
    """
    tag = hashlib.sha256(response.get_data()).hexdigest()[:32]
    response.set_etag(tag)
    # Others may not keep it, and its owner must ask before using it again.
    response.headers["Cache-Control"] = "private, no-cache"
    if request.if_none_match.contains_weak(tag):
        response.status_code = 304
    return response
