"""Who is told of alerts, as a webhook."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import wait_until


@dataclass(frozen=True)
class Told:
    """One alert of one message."""

    receiver: str
    alert: str
    status: str  #: firing or resolved
    annotations: dict[str, str]


class Receiver:
    """Notes what Alertmanager sends to `url(NAME)` as told to the receiver NAME."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, receiver: str, alert: str, status: str, *, since: int = 0) -> Told:
        """The first such message after the first `since`."""

        def found() -> list[Told]:
            wanted = (receiver, alert, status)
            return [each for each in self.told[since:] if (each.receiver, each.alert, each.status) == wanted]

        wait_until(found, f"{alert} is {status}; told so far: {self.told}", seconds=45)
        return found()[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for each in message["alerts"]:
                    name = each["labels"]["alertname"]
                    told.append(Told(self.path[1:], name, each["status"], each["annotations"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
