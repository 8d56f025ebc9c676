"""Where gunicorn's workers keep what they count: in files, which outlive a worker that is killed.

Each worker has a place, and the next one in that place goes on with its files: no count is lost or begins
anew with a worker, and there are never more files than places. All of them begin anew with gunicorn itself.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

#: Read by prometheus_client.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

#: Of the folder; then come the user and gunicorn's master.
PREFIX = "neoserve-metrics-"

COUNTS = ("counter", "histogram")
GAUGES = "gauge_livesum"

#: What one file may grow to before it needs more of the disk. Touching a page that a full disk has no room
#: for would kill the process.
FILE_BYTES = 2**20


def folder() -> Path | None:
    """None in a process that keeps its figures to itself."""
    name = os.environ.get(VARIABLE)
    return None if name is None else Path(name)


def read(folder: Path) -> Iterable[Metric]:
    """The figures of all workers together."""
    families: Iterable[Metric] = MultiProcessCollector(None, str(folder)).collect()  # type: ignore[no-untyped-call]
    return families


def remove_what_is_left() -> None:
    """By predecessors that were killed. In a container such a one had the number of this process."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}{os.getuid()}-*"):
        pid = left.name.split("-")[3]
        if pid.isdecimal() and (int(pid) == os.getpid() or not is_alive(int(pid))):
            shutil.rmtree(left, ignore_errors=True)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class MetricFiles:
    """Of one gunicorn, in whose master this is made."""

    def __init__(self) -> None:
        remove_what_is_left()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getuid()}-{os.getpid()}-"))
        self._taken: set[int] = set()

    def take_place(self) -> int:
        """Raises OSError when there is no room for its files."""
        place = next(number for number in range(len(self._taken) + 1) if number not in self._taken)
        for kind in (*COUNTS, GAUGES):
            with self._file(kind, place).open("ab") as file:
                file.write(bytes(max(0, FILE_BYTES - file.tell())))
        self._taken.add(place)
        return place

    def use(self, place: int) -> None:
        """In the worker, before it makes its metrics."""
        os.environ[VARIABLE] = str(self._folder)
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]

    def leave_place(self, place: int) -> None:
        """Counts stay; what the worker was busy with is over."""
        with self._file(GAUGES, place).open("r+b") as file:
            file.write(
                bytes(4)
            )  # So many of its bytes are in use. Not deleted, since the next one needs the room.
        self._taken.discard(place)

    def _file(self, kind: str, place: int) -> Path:
        return self._folder / f"{kind}_{place}.db"

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
