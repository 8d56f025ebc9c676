"""The document over HTTP, for programs and for people."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, Response, current_app

from api.keyring import Keyring
from api.openapi.files import Files
from api.openapi.reference import FILTERS
from api.page_files import PageFile
from api.page_routes import as_page, file_response
from api.settings import ApiSettings

#: Key of `app.extensions`.
EXTENSION = "neoserve.reference"

#: It holds nothing that is anybody's, and changes with the release and the settings.
ASK_AGAIN = "public, no-cache"

reference = Blueprint("reference", __name__, template_folder="templates")


def register_reference(app: Flask, settings: ApiSettings, keyring: Keyring) -> None:
    app.register_blueprint(reference)
    app.jinja_env.filters.update(FILTERS)
    app.extensions[EXTENSION] = Files(app, settings, asks_for_keys=bool(keyring))


@reference.get("/openapi.json")
def show_document() -> Response:
    """OpenAPI 3.1, for tools and generators."""
    return answer(files().document)


@reference.get("/docs")
def show_reference() -> Response:
    """The same for people."""
    return as_page(answer(files().page))


def files() -> Files:
    return cast(Files, current_app.extensions[EXTENSION])


def answer(file: PageFile) -> Response:
    response = file_response(file)
    response.headers["Cache-Control"] = ASK_AGAIN
    return response
