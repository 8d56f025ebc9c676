"""Shows the worker's health: as a file for probes, as metrics for people."""

from __future__ import annotations

import logging

from tasks.worker.gate import Gate
from tasks.worker.health_file import VARIABLE, HealthFile
from tasks.worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)


class Health:
    """Ready is: the model is warm, Redis knows the worker, Celery runs, and it does not drain."""

    def __init__(self, file: HealthFile | None, metrics: WorkerMetrics, gate: Gate) -> None:
        self._file = file
        self._metrics = metrics
        self._gate = gate
        self._begun = False
        self._failed = False

    def become_ready(self) -> None:
        self._begun = True
        self.publish(alive=True)

    def publish(self, *, alive: bool) -> None:
        """While it is not alive, the file grows old and the time in the metric stays."""
        ready = alive and self._begun and not self._gate.closed
        self._metrics.ready.set(ready)
        if alive:
            self._metrics.live_timestamp.set_to_current_time()
            self._write(ready)

    def vanish(self) -> None:
        """The process ends, or has only begun: nothing shall tell of a worker."""
        try:
            if self._file is not None:
                self._file.remove()
        except OSError as error:
            log.warning("%s cannot be removed: %s", VARIABLE, error)

    def _write(self, ready: bool) -> None:
        try:
            if self._file is not None:
                self._file.write(ready=ready)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("%s cannot be written, so that probes see no live worker: %s", VARIABLE, error)
            self._failed = True
