"""What the worker logs: never a prompt."""

from __future__ import annotations

import logging
import warnings

from celery.exceptions import CPendingDeprecationWarning

from tasks.jobs.logs import LogFormat, log_lines_to_stderr

#: These tell of every message twice; a message is only a ring, and the job's own line says what happened. The
#: last two say "connected" and "ready", which is only true once our own line says so.
CHATTY = (
    "celery.worker.strategy",
    "celery.app.trace",
    "celery.worker.consumer.mingle",
    "celery.worker.consumer.connection",
    "celery.apps.worker",
)


def configure_logging(level: str, form: LogFormat) -> None:
    """Replace whatever handlers the root logger has."""
    log_lines_to_stderr(level, form)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def keep_pending_deprecations_quiet() -> None:
    """At every loss of the broker Celery warns that it will cancel late acknowledged tasks one day; ours are
    acknowledged early. It switches these warnings on when it sets up its logs, so this must come later."""
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
