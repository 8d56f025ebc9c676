"""How API and worker write their log lines: one line each to standard error, in UTC."""

from __future__ import annotations

import json
import logging
import threading
import time
from enum import StrEnum
from typing import Any

from tasks.jobs.log_line import LogLine

log = logging.getLogger(__name__)

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%S"


class LogFormat(StrEnum):
    TEXT = "text"  #: For people; a traceback is on lines of its own.
    JSON = "json"  #: For programs: whatever happens, a line is one object.


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(FORMAT, datefmt=DATE_FORMAT)
        self.converter = time.gmtime


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `logger` and `message` as in the text, the fields of a LogLine, and in `exception` the
    traceback."""

    def __init__(self) -> None:
        super().__init__(datefmt=DATE_FORMAT)
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if isinstance(record.msg, LogLine):
            line.update(record.msg.fields)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # ASCII, because some readers see the end of a line in U+2028 and others in U+0085.
        return json.dumps(line, default=str)


FORMATTERS: dict[LogFormat, type[logging.Formatter]] = {
    LogFormat.TEXT: TextFormatter,
    LogFormat.JSON: JsonFormatter,
}


def parse_log_format(text: str) -> LogFormat:
    try:
        return LogFormat(text.strip().lower())
    except ValueError:
        raise ValueError("expected text or json") from None


def log_lines_to_stderr(root_level: int | str, form: LogFormat) -> None:
    """Replace whatever handlers the root logger has. Warnings are told there too; threads that die once
    threading.excepthook is log_end_of_thread, or calls it."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATTERS[form]())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(root_level)
    logging.captureWarnings(True)


def log_end_of_thread(arguments: threading.ExceptHookArgs) -> None:
    """For threading.excepthook."""
    if arguments.exc_type is not SystemExit:
        name = arguments.thread.name if arguments.thread is not None else "unknown"
        log.error("the thread %s has died", name, exc_info=arguments.exc_value)
