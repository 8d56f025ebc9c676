"""The clients of `bench.waiters`, in a process of their own: each has a connection and waits for its job.

A JSON line on stdin is a list of client numbers: each of these sends `POST /predict?wait=60`. A JSON line on
stdout is an answer: the client, its status code, and when it had been read, in seconds of the machine's
monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import sys
import time

BODY = json.dumps({"text": "Once upon a time", "max_new_tokens": 20, "ttl_s": 600})
REQUEST = (
    "POST /predict?wait=60 HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Clients:
    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def ask(self, client: int) -> None:
        if client not in self._connections:
            self._connections[client] = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._connections[client]
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if length is None:
            sys.exit(f"an answer without a length: {head!r}")
        await reader.readexactly(int(length[1]))
        received = time.monotonic()
        sys.stdout.write(json.dumps([client, int(head.split(maxsplit=2)[1]), received]) + "\n")
        sys.stdout.flush()


async def serve(port: int) -> None:
    clients = Clients(port)
    async with asyncio.TaskGroup() as asking:
        while line := await asyncio.to_thread(sys.stdin.readline):
            for client in json.loads(line):
                asking.create_task(clients.ask(client))


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve(int(sys.argv[1])))
