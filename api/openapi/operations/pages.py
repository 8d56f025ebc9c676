"""The pages for people, and this document."""

from __future__ import annotations

from collections.abc import Mapping

from api.answers.service import Addresses
from api.openapi.operation import JSON, Answer, Content, Operation, json_of
from api.page_files import MIMETYPES

KNOWN = Answer(304, "As it is known.", (), ("Cache-Control", "ETag"))

#: What a page is made of.
PARTS = tuple(Content(MIMETYPES[each]) for each in (".css", ".js", ".svg"))

PAGES: Mapping[tuple[str, str], Operation] = {
    ("page.index", "GET"): Operation(
        id="getIndex",
        tag="Pages",
        summary="The page",
        description="A page to try the service with, for a browser; others get the addresses in short.",
        headers=("If-None-Match",),
        answers=(
            Answer(
                200, "The page.", (*json_of(Addresses), Content("text/html")), ("Cache-Control?", "ETag?")
            ),
            KNOWN,
        ),
    ),
    ("page.show_file", "GET"): Operation(
        id="getPageFile",
        tag="Pages",
        summary="A file of a page",
        description="What the pages name. Kept for ever: the version is in its address.",
        headers=("If-None-Match",),
        answers=(Answer(200, "The file.", PARTS, ("Cache-Control", "ETag")), KNOWN),
        codes=("not_found",),
    ),
    ("reference.show_document", "GET"): Operation(
        id="getDocument",
        tag="Pages",
        summary="This document",
        description="OpenAPI 3.1, made from the types that check requests.",
        headers=("If-None-Match",),
        answers=(
            Answer(200, "The document.", (Content(JSON, dict),), ("Cache-Control", "ETag")),
            KNOWN,
        ),
    ),
    ("reference.show_reference", "GET"): Operation(
        id="getReference",
        tag="Pages",
        summary="This document, to be read",
        description="A page that needs nothing from elsewhere.",
        headers=("If-None-Match",),
        answers=(Answer(200, "The page.", (Content("text/html"),), ("Cache-Control", "ETag")), KNOWN),
    ),
}
