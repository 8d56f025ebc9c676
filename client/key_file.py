"""The file of the API's keys, as the command line changes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from client.errors import ClientError

if TYPE_CHECKING:
    from api.key_entry import KeyEntry


class KeyFile:
    """It is written in place: a container that has it mounted keeps the file that it has. Comments stay.

    Every method raises ClientError when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> Sequence[KeyEntry]:
        with self._opened(os.O_RDONLY, fcntl.LOCK_SH) as file:
            return self._parse(file.read())

    def add(self, entry: KeyEntry) -> None:
        """Makes the file if there is none. Others may read it: from a hash nobody gets a key."""
        with self._opened(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX) as file:
            text = file.read()
            self._parse(text)
            file.write(f"{'' if text.endswith(chr(10)) or not text else chr(10)}{entry.line()}\n")

    def revoke(self, name_or_id: str) -> Sequence[KeyEntry]:
        """Returns what is not valid any more, at least one."""
        with self._opened(os.O_RDWR, fcntl.LOCK_EX) as file:
            text = file.read()
            revoked = [each for each in self._parse(text) if name_or_id in (each.name, each.id)]
            if not revoked:
                raise ClientError(f"{self._path} has no key {name_or_id!r}: see `neoserve keys list`.")
            kept = [line for line in text.splitlines(keepends=True) if not self._names(line, revoked)]
            file.seek(0)
            file.truncate()
            file.writelines(kept)
        return revoked

    def _names(self, line: str, entries: Sequence[KeyEntry]) -> bool:
        return any(each in entries for each in self._parse(line))

    def _parse(self, text: str) -> Sequence[KeyEntry]:
        # Imported here: the client alone is installed without the API.
        from api.key_entry import parse_entries

        try:
            return parse_entries(text)
        except ValueError as error:
            raise ClientError(f"{self._path} cannot be used: {error}. Correct it by hand.") from None

    @contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[IO[str]]:
        try:
            descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise ClientError(f"{self._path} cannot be opened: {error.strerror}.") from None
        with open(descriptor, "r" if flags == os.O_RDONLY else "r+", encoding="utf-8") as file:
            fcntl.flock(file, lock)
            yield file
