"""Spans as tests look at them, in the process that makes them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.services import require_service

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tasks.jobs.otel import Tracer


def require_opentelemetry() -> None:
    found = find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None
    require_service(found, "no OpenTelemetry: requirements/otel.txt")


class Recorder:
    """A tracer, and what it would have sent."""

    def __init__(self) -> None:
        require_opentelemetry()
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        from tasks.jobs.otel import Tracer

        self._exporter = InMemorySpanExporter()
        self.tracer: Tracer = Tracer("test", "instance-1")
        self.tracer.start(self._exporter)

    def stop(self) -> list[ReadableSpan]:
        """All spans that have ended, in that order."""
        self.tracer.stop()
        return list(self._exporter.get_finished_spans())
