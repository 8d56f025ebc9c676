"""The document and its page, made once and at the first request: no start waits for them."""

from __future__ import annotations

import json
from functools import cached_property

from flask import Flask, render_template

from api.openapi.document import make_document
from api.openapi.reference import Reference
from api.page_files import PageFile, page_file, page_files
from api.settings import ApiSettings


class Files:
    """Of one app. Should two requests be the first, each makes the same."""

    def __init__(self, app: Flask, settings: ApiSettings, *, asks_for_keys: bool) -> None:
        self._app = app
        self.settings = settings
        self.asks_for_keys = asks_for_keys

    @cached_property
    def document(self) -> PageFile:
        document = make_document(self._app, self.settings, asks_for_keys=self.asks_for_keys)
        return page_file("openapi.json", json.dumps(document, ensure_ascii=False).encode())

    @cached_property
    def page(self) -> PageFile:
        """Within an app's context."""
        shown = render_template(
            "reference.html",
            reference=Reference(json.loads(self.document.content)),
            version=page_files().version,
            port=self.settings.port,
        )
        return page_file("docs.html", shown.encode())
