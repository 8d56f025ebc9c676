"""The files of the page, read once: they are small, and they change only with the release."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"

#: In index.html, where the version of the files stands in their address.
PLACEHOLDER = "VERSION"

MIMETYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """`packed` is `content` in gzip."""

    content: bytes
    packed: bytes
    mimetype: str


@dataclass(frozen=True, slots=True)
class PageFiles:
    """`version` is a hash of all files, so what it names never changes."""

    index: bytes
    files: Mapping[str, PageFile]
    version: str


@cache
def page_files() -> PageFiles:
    contents = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in MIMETYPES}
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name} {len(contents[name])}\n".encode() + contents[name])
    version = digest.hexdigest()[:16]
    index = contents.pop(INDEX).replace(PLACEHOLDER.encode(), version.encode())
    files = {name: page_file(name, content) for name, content in contents.items()}
    return PageFiles(index, files, version)


def page_file(name: str, content: bytes) -> PageFile:
    return PageFile(content, gzip.compress(content, mtime=0), MIMETYPES[Path(name).suffix])
