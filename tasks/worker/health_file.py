"""The file by which a worker shows its health to probes, of which `probe.sh` beside this is one."""

from __future__ import annotations

import math
import time
from pathlib import Path

#: Names the file; empty is none. A setting of the worker, which the probe reads too.
VARIABLE = "NEOSERVE_HEALTH_FILE"

#: It is written every second; an older one tells of a worker that is not live.
MAX_AGE_SECONDS = 15.0


class HealthFile:
    """One line: `ready` or `not-ready`, and the second until which that tells of a live worker."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, *, ready: bool) -> None:
        """The worker is live now. Raises OSError."""
        until = math.ceil(time.time() + MAX_AGE_SECONDS)
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text(f"{'ready' if ready else 'not-ready'} {until}\n", encoding="utf-8")
        new.replace(self._path)

    def remove(self) -> None:
        """Raises OSError, but not where there is none."""
        self._path.unlink(missing_ok=True)


def health_file(path: str) -> HealthFile | None:
    """None where the setting is empty."""
    return HealthFile(Path(path)) if path else None
