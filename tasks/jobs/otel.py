"""Spans by OpenTelemetry's SDK, sent over OTLP/HTTP. Imported only by processes that make traces."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tasks.jobs.names import VERSION

Attribute = str | bool | int | float | Sequence[str]
Kind = Literal["internal", "server", "consumer"]

#: How long the end of a process waits for a collector that does not answer; a worker that drains keeps three
#: seconds for its end.
FLUSH_SECONDS = 1.0


class Span:
    """Something that takes time. End it exactly once."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """For what comes of it in other processes."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        self._span.set_attributes(attributes)

    def link(self, traceparent: str) -> None:
        """To a span of another trace; to none where that is empty."""
        if traceparent:
            self._span.add_link(_context_of(traceparent))

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self, at: float | None = None) -> None:
        """Now, or at that Unix time."""
        self._span.end(_nanoseconds(at))


class Tracer:
    """Makes spans, and from `start` to `stop` sends those that have ended, in a thread of its own."""

    def __init__(self, service: str, instance: str) -> None:
        """A process of the kind `service`. What the environment says of it goes before that."""
        ours = {"service.name": service, "service.version": VERSION, "service.instance.id": instance}
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("neoserve", VERSION)

    def start(self, exporter: SpanExporter | None = None) -> None:
        """None: over OTLP/HTTP to where the environment says."""
        # One line for each batch that is lost, and none for each time that it was tried.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
        # It quotes headers that it cannot read, and in these are credentials.
        logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))

    def stop(self) -> None:
        """Returns when all has been sent, or after FLUSH_SECONDS."""
        sending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)

    def span(
        self,
        name: str,
        *,
        kind: Kind = "internal",
        parent: Span | str = "",
        at: float | None = None,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Span:
        """One that begins now, or at that Unix time. Its parent may be one of another process, named by a
        traceparent; without any it begins a trace."""
        traceparent = parent.traceparent if isinstance(parent, Span) else parent
        context = Context()
        if traceparent:
            context = trace.set_span_in_context(NonRecordingSpan(_context_of(traceparent)), context)
        begin = _nanoseconds(at)
        return Span(
            self._tracer.start_span(name, context, SpanKind[kind.upper()], attributes, start_time=begin)
        )


def _context_of(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))


def _nanoseconds(at: float | None) -> int | None:
    return None if at is None else round(at * 1e9)
