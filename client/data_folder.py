"""Where the embedded server keeps the jobs: a folder per user and port, for one `neoserve up` at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path

from client.errors import StartFailed

LOCK_FILE = "neoserve.lock"

#: What a killed `neoserve up` left behind ends by itself, most of it at once; a connection that the API was
#: serving may hold its process for its grace of 10 seconds.
LEFTOVERS_SECONDS = 15.0


def default_folder(port: int, environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_DATA_HOME", "")
    root = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"
    return root / "neoserve" / str(port)


class DataFolder:
    """A folder that only this user can enter, and its lock.

    The children inherit the lock's descriptor: it is free when the last of them is gone, not before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open lock file, for children to inherit."""
        if self._descriptor is None:
            raise RuntimeError("the data folder is not locked")
        return self._descriptor

    def lock(self, leftovers_seconds: float = LEFTOVERS_SECONDS) -> None:
        """Make the folder and lock it. Raises StartFailed, with the remedy, when it cannot be used."""
        try:
            self._make()
            self._descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartFailed(
                f"The data folder {self.path} cannot be used: {error.strerror}. Name another with --data."
            ) from None
        if not self._try_lock(leftovers_seconds):
            self.release()
            raise StartFailed(
                f"Another `neoserve up` is using the data in {self.path}. "
                "Stop it, or choose another --port or --data."
            )
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _make(self) -> None:
        if self.path.is_dir():
            names = {each.name for each in self.path.iterdir()}
            if names and LOCK_FILE not in names:
                raise StartFailed(
                    f"{self.path} holds other files and is no data folder of NeoServe. "
                    "Name a new or empty one with --data."
                )
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def _try_lock(self, leftovers_seconds: float) -> bool:
        deadline = time.monotonic() + leftovers_seconds
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._owner_lives() or time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)
            else:
                return True

    def _owner_lives(self) -> bool:
        text = os.pread(self.descriptor, 32, 0).strip()
        if not text.isdigit():
            return False
        try:
            os.kill(int(text), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
