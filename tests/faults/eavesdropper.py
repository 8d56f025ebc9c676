"""Listens to all of a stack that is open to others: processes, metrics, logs, Celery's events."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from celery import Celery

from tasks.jobs.errors import JobGone, JobNotFound
from tasks.jobs.store import JobStore
from tests.faults.canaries import Overheard

NUM_TEXTS = 500
SECONDS = 10


def hear_command_lines(overheard: Overheard) -> None:
    """As `ps` shows them: of every process of this machine, children too."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # It has ended.
            name = file.with_name("comm").read_text().strip()
            overheard.add(
                f"a command line of {name}", file.read_bytes().replace(b"\0", b" ").decode("latin-1")
            )


def hear_metrics(overheard: Overheard, name: str, url: str) -> None:
    with suppress(httpx.TransportError):  # The process is no more, or not yet.
        overheard.add(f"the metrics of {name}", httpx.get(f"{url}/metrics", timeout=SECONDS).text)


def hear_logs(overheard: Overheard, folder: Path) -> None:
    for ending in ("out", "err", "log"):
        for file in folder.glob(f"*.{ending}"):
            overheard.add(f"the log {file.name}", file.read_text(errors="replace"))


def learn_texts(overheard: Overheard, store: JobStore) -> None:
    """Of some jobs that are recorded."""
    for job_id in islice(_job_ids(store), NUM_TEXTS):
        with suppress(JobNotFound, JobGone):
            overheard.texts |= {row.text for row in store.get(job_id).rows}


def _job_ids(store: JobStore) -> Iterable[str]:
    prefix = f"{store.namespace}:job:"
    for key in store.client.scan_iter(f"{prefix}*", count=1000):
        yield str(key).removeprefix(prefix)


class Events:
    """A Celery monitor, until the end of the `with`. Its server must not go away meanwhile."""

    PLACE = "a Celery event"

    def __init__(self, url: str, overheard: Overheard) -> None:
        self._app = Celery(broker=url, set_as_current=False)
        self._overheard = overheard
        self._num_of_tasks = 0
        self._thread = threading.Thread(target=self._listen, name="events")

    def __enter__(self) -> Self:
        self._connection = self._app.connection()
        self._receiver = self._app.events.Receiver(self._connection, handlers={"*": self._hear})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receiver.should_stop = True
        self._thread.join()
        self._connection.release()
        self._app.close()
        assert kind is not None or self._num_of_tasks, "no event told of a task: nothing was tested"

    def _listen(self) -> None:
        self._receiver.capture(limit=None, timeout=None)

    def _hear(self, event: dict[str, Any]) -> None:
        self._num_of_tasks += event["type"].startswith("task-")
        self._overheard.add(self.PLACE, str(event))
