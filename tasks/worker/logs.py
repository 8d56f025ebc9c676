"""Log lines of the worker: plain text on stderr, never a prompt."""

from __future__ import annotations

import logging
import sys

#: These tell of every message twice; a message is only a ring, and the job's own line says what happened.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "celery.worker.consumer.mingle")


def configure_logging(level: str) -> None:
    """Replace whatever handlers the root logger has."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
