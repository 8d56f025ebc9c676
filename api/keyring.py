"""The keys that are valid now."""

from __future__ import annotations

import fcntl
import hmac
import logging
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from api.key_entry import KeyEntry, digest_of, parse_entries
from api.settings import ApiSettings
from tasks.jobs.settings import InvalidSetting

logger = logging.getLogger(__name__)


class Keyring:
    """The keys of the environment and of a file, which is read again when it has changed. Thread-safe.

    A file that cannot be read any more takes nobody's key away: they stay as they were, and the log says so.
    """

    def __init__(self, entries: Sequence[KeyEntry], path: Path | None = None) -> None:
        """Raises OSError and ValueError when the file cannot be used."""
        self._entries = tuple(entries)
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._of_file: tuple[KeyEntry, ...] = ()
        if path is not None:
            self._seen = _state(path)
            self._of_file = read_key_file(path)

    def __bool__(self) -> bool:
        """Whether a key is asked for: also when the last one of a file was revoked."""
        return bool(self._entries) or self._path is not None

    def owner(self, key: str) -> str | None:
        """The name that the key belongs to; None when it is no valid key. It takes as long for every key."""
        digest = digest_of(key)
        found = None
        for entry in self._valid():
            if hmac.compare_digest(entry.digest, digest):
                found = entry.name
        return found

    def _valid(self) -> tuple[KeyEntry, ...]:
        if self._path is None:
            return self._entries
        with self._lock:
            self._read_again(self._path)
            return self._entries + self._of_file

    def _read_again(self, path: Path) -> None:
        try:
            state = _state(path)
        except OSError as error:
            state = (-(error.errno or 1),)
        if state == self._seen:
            return
        self._seen = state
        try:
            self._of_file = read_key_file(path)
        except (OSError, ValueError) as error:
            logger.error("%s cannot be used, and its keys stay as they were: %s", path, error)
        else:
            # None at all shuts everybody out: meant, or a file that was emptied to be written anew.
            level = logging.INFO if self._of_file else logging.WARNING
            logger.log(level, "%s has changed: %d keys are valid", path, len(self._of_file))


def keyring_of(settings: ApiSettings) -> Keyring:
    """Raises InvalidSetting when the file cannot be used."""
    path = Path(settings.api_keys_file) if settings.api_keys_file else None
    try:
        return Keyring(settings.api_keys, path)
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    raise InvalidSetting(f"NEOSERVE_API_KEYS_FILE={settings.api_keys_file!r} cannot be used: {reason}")


def read_key_file(path: Path) -> tuple[KeyEntry, ...]:
    """Raises OSError and ValueError."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")  # A pipe or a device would hold every call up, for good.
    with path.open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # `neoserve keys` may be writing it.
        return parse_entries(file.read())


def _state(path: Path) -> tuple[int, ...]:
    """Another one when the file has changed, or another file is in its place."""
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
