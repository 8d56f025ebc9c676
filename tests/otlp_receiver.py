"""A collector: takes spans over OTLP/HTTP and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.spans import require_opentelemetry
from tests.waiting import wait_until

Attributes = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReceivedSpan:
    """Ids are hexadecimal, times are Unix seconds."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str  #: Empty where it begins a trace.
    start: float
    end: float
    attributes: Attributes
    links: tuple[str, ...]  #: Span ids.

    @property
    def seconds(self) -> float:
        return self.end - self.start


class OtlpReceiver:
    """`raw` is all that it was sent, for looking for what should not be there."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self._spans: list[ReceivedSpan] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environ(self) -> dict[str, str]:
        """Of a process that is to send its spans here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    @property
    def spans(self) -> list[ReceivedSpan]:
        with self._lock:
            return list(self._spans)

    def wait_for(
        self, wanted: Callable[[ReceivedSpan], bool], what: str, number: int = 1
    ) -> list[ReceivedSpan]:
        """So many spans that are `wanted`, in the order of their beginnings."""

        def found() -> list[ReceivedSpan]:
            return sorted((span for span in self.spans if wanted(span)), key=lambda span: span.start)

        wait_until(lambda: len(found()) >= number, f"the collector has {what}")
        return found()

    def take(self, data: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        request = ExportTraceServiceRequest.FromString(data)
        with self._lock:
            self.raw.append(data)
            for resource in request.resource_spans:
                service = _attributes(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    self._spans += [_received(service, span) for span in scope.spans]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Not on the test's output."""

        return Handler

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    require_opentelemetry()
    receiver = OtlpReceiver()
    thread = threading.Thread(target=receiver.serve, name="collector")
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
        thread.join()


def _received(service: str, span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano / 1e9,
        end=span.end_time_unix_nano / 1e9,
        attributes=_attributes(span.attributes),
        links=tuple(link.span_id.hex() for link in span.links),
    )


def _attributes(pairs: Any) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    if value.HasField("array_value"):
        return tuple(_value(each) for each in value.array_value.values)
    return getattr(value, value.WhichOneof("value"))
