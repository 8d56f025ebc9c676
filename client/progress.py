"""Whether a child still makes progress, by the health file that it writes."""

from __future__ import annotations

from pathlib import Path

from tasks.worker.health_file import MAX_AGE_SECONDS
from tasks.worker.standstill import Standstill

#: More than that between two looks is time in which this process was stopped itself, or the machine slept.
LONGEST_LOOK_SECONDS = 1.0


class Progress:
    """Of one run of a child. It is looked at a few times a second, with the seconds of a growing clock."""

    def __init__(self, file: Path | None, now: float) -> None:
        self._file = file
        self._looked_at = now
        self._standstill = Standstill()

    def missing(self, now: float) -> bool:
        """The file is there and has not been written anew for too long."""
        seconds, self._looked_at = min(now - self._looked_at, LONGEST_LOOK_SECONDS), now
        if self._file is None:
            return False
        try:
            written_at = self._file.stat().st_mtime_ns
        except OSError:
            self._standstill.reset()
            return False
        return self._standstill.look(written_at, seconds) > MAX_AGE_SECONDS
