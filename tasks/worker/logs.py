"""What the worker logs: never a prompt."""

from __future__ import annotations

import logging

from tasks.jobs.logs import log_lines_to_stderr

#: These tell of every message twice; a message is only a ring, and the job's own line says what happened.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "celery.worker.consumer.mingle")


def configure_logging(level: str) -> None:
    """Replace whatever handlers the root logger has."""
    log_lines_to_stderr(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
