"""Where the embedded server keeps the jobs: a folder per user and port, for one `neoserve up` at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path

from client.errors import StartFailed

#: Locked by `neoserve up` and all that it starts.
LOCK_FILE = "neoserve.lock"
#: Locked by `neoserve up` alone: free while LOCK_FILE is not, only leftovers are there.
OWNER_FILE = "owner.lock"

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
        self._owner: int | None = None

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
            self._owner = os.open(self.path / OWNER_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartFailed(
                f"The data folder {self.path} cannot be used: {error.strerror}. Name another with --data."
            ) from None
        if not self._try_lock(self._owner, self._descriptor, leftovers_seconds):
            self.release()
            raise StartFailed(
                f"Another `neoserve up` is using the data in {self.path}. "
                "Stop it, or choose another --port or --data."
            )

    def release(self) -> None:
        for descriptor in (self._descriptor, self._owner):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._owner = None

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

    @staticmethod
    def _try_lock(owner: int, shared: int, leftovers_seconds: float) -> bool:
        """Refused at once where another owner lives; what a dead one left behind is waited for."""
        if not _flock(owner):
            return False
        deadline = time.monotonic() + leftovers_seconds
        while not _flock(shared):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
