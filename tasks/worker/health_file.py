"""The file by which a worker shows its health to probes. Standard library only: a probe starts often."""

from __future__ import annotations

import time
from pathlib import Path

#: Names the file; empty is none. A setting of the worker, which the probe reads too.
VARIABLE = "NEOSERVE_HEALTH_FILE"

#: It is written every second; an older one tells of a worker that is not live.
MAX_AGE_SECONDS = 15.0

READY = "ready\n"
NOT_READY = "not ready\n"


class HealthFile:
    """Fresh while the worker is live; its content says whether it is ready."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, *, ready: bool) -> None:
        """The worker is live now. Raises OSError."""
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text(READY if ready else NOT_READY, encoding="utf-8")
        new.replace(self._path)

    def remove(self) -> None:
        """Raises OSError, but not where there is none."""
        self._path.unlink(missing_ok=True)

    def live(self) -> bool:
        try:
            age = time.time() - self._path.stat().st_mtime
        except OSError:
            return False
        return age <= MAX_AGE_SECONDS

    def ready(self) -> bool:
        try:
            return self.live() and self._path.read_text(encoding="utf-8") == READY
        except OSError:
            return False


def health_file(path: str) -> HealthFile | None:
    """None where the setting is empty."""
    return HealthFile(Path(path)) if path else None
