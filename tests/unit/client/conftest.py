"""Children that are trivial, and a service that answers what a test tells it to."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from client.child import ChildSpec
from client.console import Console


def python_child(name: str, code: str, **options: Any) -> ChildSpec:
    """A child that runs `code`, in an interpreter that starts fast; `print("ready")` makes it ready."""
    return ChildSpec(
        name=name, command=[sys.executable, "-I", "-S", "-u", "-c", code], ready="ready", **options
    )


#: Is ready at once, and ends at the first SIGTERM.
PATIENT = "import signal; print('ready'); signal.pause()"

#: Does not end at SIGTERM.
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready')\nwhile True: signal.pause()"
)


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(output: io.StringIO) -> Console:
    return Console(output)


class FakeService:
    """An HTTP server on this machine. `answers` holds status, body and headers of each call to come; a body
    is bytes, or becomes JSON."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.calls: list[tuple[str, str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def answer(self, status: int, body: Any, **headers: str) -> None:
        self.answers.append((status, body, headers))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                of_json = self.headers.get("Content-Type") == "application/json"
                self._reply(json.loads(body) if of_json else body)

            def do_GET(self) -> None:
                self._reply(None)

            def do_DELETE(self) -> None:
                self._reply(None)

            def _reply(self, body: Any) -> None:
                service.calls.append((self.command, self.path, body))
                status, content, headers = service.answers.pop(0)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def job_json() -> Callable[..., dict[str, Any]]:
    """A job object as the API renders it; keyword arguments replace members."""

    def make(status: str = "succeeded", **members: Any) -> dict[str, Any]:
        done = status == "succeeded"
        result = [{"generated_text": "Hello, world! Again.", "finish_reason": "length"}] if done else None
        return {
            "id": "job-1",
            "status": status,
            "model": "stories",
            "queue": None,
            "progress": None,
            "result": result,
            "usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7} if done else None,
            "metrics": {"total_s": 0.25},
            "error": None,
            **members,
        }

    return make
