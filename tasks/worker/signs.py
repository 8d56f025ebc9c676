"""What the liveness of a real worker is judged by."""

from __future__ import annotations

from collections.abc import Callable

from tasks.jobs.ring import CeleryRing
from tasks.jobs.store import JobStore
from tasks.worker.gate import Gate
from tasks.worker.generate import JobRunner
from tasks.worker.writer import Writer


class WorkerSigns:
    """Implements tasks.worker.liveness.Signs."""

    def __init__(
        self,
        *,
        store: JobStore,
        ring: CeleryRing,
        fingerprint: str,
        slots: int,
        gate: Gate,
        writer: Writer,
        jobs: JobRunner,
        num_ticks: Callable[[], int],
    ) -> None:
        self._store = store
        self._ring = ring
        self._fingerprint = fingerprint
        self._slots = slots
        self._gate = gate
        self._writer = writer
        self._jobs = jobs
        self._num_ticks = num_ticks

    @property
    def excused(self) -> bool:
        return self._gate.closed or self._writer.outage or self._jobs.outage

    @property
    def num_ticks(self) -> int:
        return self._num_ticks()

    @property
    def num_exchanges(self) -> int:
        return self._writer.num_exchanges

    @property
    def num_entered(self) -> int:
        return self._gate.num_entered

    @property
    def full(self) -> bool:
        return len(self._writer.held) >= self._slots or self._gate.shut

    def jobs_wait(self) -> bool:
        self._ring.pending()  # Raises where nobody could hear a ring.
        return any(fingerprint == self._fingerprint for fingerprint, _ in self._store.stats().queued)
