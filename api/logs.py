"""What the API logs."""

from __future__ import annotations

import logging
import threading

from tasks.jobs.logs import LogFormat, log_end_of_thread, log_lines_to_stderr


def set_up_logging(level: str, form: LogFormat) -> None:
    """Idempotent; the process's other libraries keep to warnings."""
    log_lines_to_stderr(logging.WARNING, form)
    threading.excepthook = log_end_of_thread
    for package in ("api", "tasks"):
        logging.getLogger(package).setLevel(level)
