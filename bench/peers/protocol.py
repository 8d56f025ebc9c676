"""How a peer is asked: a child process, one line of JSON each way. Standard library only: every peer's own
environment imports it.

The child says {"ready": true} once its model is loaded. To {"prompts": [[ids]], "new_tokens": n} it answers
{"seconds": s, "tokens": [[ids]]}: all prompts given at once, each continued greedily by n tokens; the end
token ends nothing. What the libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable

Prompts = list[list[int]]
Answer = Callable[[Prompts, int], list[list[int]]]


def serve(load: Callable[[], Answer]) -> None:
    """Load, then answer until the parent closes its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # What was started ends too, as `atexit` says.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    answer = load()
    _say(replies.write, replies.flush, {"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        started = time.perf_counter()
        tokens = answer(question["prompts"], question["new_tokens"])
        seconds = time.perf_counter() - started
        _say(replies.write, replies.flush, {"seconds": seconds, "tokens": tokens})


def _say(write: Callable[[str], object], flush: Callable[[], object], reply: dict[str, object]) -> None:
    write(json.dumps(reply) + "\n")
    flush()
