"""The page for people at `/`, and what it is made of."""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from api.answers.service import Addresses
from api.page_files import PageFile, page_files
from api.render import json_response
from api.validators import unless_known
from tasks.jobs.names import VERSION

page = Blueprint("page", __name__)

#: Nothing from elsewhere, nothing inline, no text that becomes markup, in nobody's frame.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

#: A year, the most that caches are asked to keep anything.
FOR_EVER = "public, max-age=31536000, immutable"

ADDRESSES: Addresses = {
    "name": "neoserve",
    "version": VERSION,
    "texts": "POST /predict",
    "jobs": "/jobs/<id>",
    "events": "/jobs/<id>/events",
    "batches": "POST /batches",
    "fleet": "/health",
    "limits": "/info",
    "reference": "/docs",
}


@page.get("/")
def index() -> Response:
    """The page, for a browser; for any other program the addresses in short."""
    if wants_html():
        response = unless_known(as_page(Response(page_files().index, mimetype="text/html")), request)
    else:
        response = json_response(ADDRESSES)
    response.vary.add("Accept")
    return response


@page.get("/page/<version>/<name>")
def show_file(version: str, name: str) -> Response:
    """A file that the page names. Kept for ever, but for a page of another release: it gets what there is."""
    found = page_files().files.get(name)
    if found is None:
        abort(404)
    response = file_response(found)
    if version == page_files().version:
        response.headers["Cache-Control"] = FOR_EVER
    return response


def as_page(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def file_response(file: PageFile) -> Response:
    packed = request.accept_encodings["gzip"] > 0
    response = Response(file.packed if packed else file.content, mimetype=file.mimetype)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.vary.add("Accept-Encoding")
    return unless_known(response, request)


def wants_html() -> bool:
    """Programs send `*/*` or nothing, and go on getting JSON."""
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"
