"""One API key as it is kept: whose it is, and its hash. The key itself is kept nowhere."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

#: So that people and scanners for leaked secrets know one when they see it.
PREFIX = "neoserve_"

#: Of randomness; nobody guesses it, so a plain hash keeps it as well as a slow one.
KEY_BYTES = 32

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = re.compile(rf"({NAME.pattern})[ \t]+sha256:([0-9a-f]{{64}})(?:[ \t]+(\d{{4}}-\d{{2}}-\d{{2}}))?")

#: Of its hash; what `neoserve keys` tells keys of one name apart by.
ID_CHARS = 8


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A line `NAME sha256:HASH CREATED` of a key file. Jobs belong to the name; it may have several keys."""

    name: str
    digest: str  #: SHA-256 of the key, in hexadecimal.
    created: str = ""  #: The day in UTC; empty when nobody wrote it down.

    @property
    def id(self) -> str:
        return self.digest[:ID_CHARS]

    def line(self) -> str:
        return f"{self.name} sha256:{self.digest} {self.created}".rstrip()


def new_key(name: str) -> tuple[str, KeyEntry]:
    """A key, to be shown once, and what is kept of it. Raises ValueError for a name that cannot be used."""
    if not NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, dots, dashes and underscores")
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    return key, KeyEntry(name, digest_of(key), datetime.now(UTC).date().isoformat())


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def parse_entries(text: str) -> tuple[KeyEntry, ...]:
    """Of a file or a setting, one in a line or behind a comma; `#` begins a comment.

    Raises ValueError, which shows no line: somebody may have written a key in place of its hash.
    """
    return tuple(_parse_lines(text))


def _parse_lines(text: str) -> Iterator[KeyEntry]:
    for number, line in enumerate(re.split(r"[\n,]", text), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError(f"entry {number} is not `NAME sha256:HASH`; `neoserve keys add NAME` makes one")
        yield KeyEntry(found[1], found[2], found[3] or "")
