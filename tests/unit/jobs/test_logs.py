"""Log lines for people and for programs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from tasks.jobs.log_line import LogLine, about
from tasks.jobs.logs import FORMATTERS, LogFormat, parse_log_format
from tasks.jobs.origin import Origin
from tasks.jobs.store import JobStore
from tests.factories import make_new_job

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def formatted(form: LogFormat, message: object, *arguments: object, exc_info: Any = None) -> str:
    record = logging.LogRecord("tasks.test", logging.INFO, __file__, 1, message, arguments, exc_info)
    record.created, record.msecs = 1790000000.0625, 62.5
    return FORMATTERS[form]().format(record)


def in_json(message: object, *arguments: object, exc_info: Any = None) -> dict[str, Any]:
    text = formatted(LogFormat.JSON, message, *arguments, exc_info=exc_info)
    assert len(text.splitlines()) == 1
    line = json.loads(text)
    assert isinstance(line, dict)
    return line


def test_a_line_in_json_says_when_how_bad_who_and_what() -> None:
    assert in_json("%d jobs", 3) == {
        "time": "2026-09-21T14:13:20.062Z",
        "level": "INFO",
        "logger": "tasks.test",
        "message": "3 jobs",
    }


def test_a_line_in_text_says_the_same() -> None:
    assert formatted(LogFormat.TEXT, "%d jobs", 3) == "2026-09-21T14:13:20.062Z INFO tasks.test 3 jobs"


def test_fields_are_members_in_json_and_words_in_the_text() -> None:
    line = LogLine("was served", status=200, ms=1.5, code="")
    assert str(line) == "status=200 ms=1.5 code=- was served"
    told = in_json(line)
    assert (told["status"], told["ms"], told["message"]) == (200, 1.5, str(line))
    assert "code" not in told


def test_a_line_may_consist_of_fields_alone() -> None:
    assert str(LogLine(status=200, job_id=None)) == "status=200 job_id=-"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_whatever_may_end_a_line_ends_none_in_json(end: str) -> None:
    assert in_json(f"one{end}two")["message"] == f"one{end}two"
    assert in_json(LogLine(one=f"two{end}"))["one"] == f"two{end}"


def test_half_of_a_surrogate_pair_can_be_told() -> None:
    assert in_json("\ud83d")["message"] == "\ud83d"


def test_an_exception_stays_on_the_line_in_json() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        told = in_json("it failed", exc_info=sys.exc_info())
    assert told["message"] == "it failed"
    assert told["exception"].startswith("Traceback (most recent call last):\n")
    assert told["exception"].endswith("ValueError: first\nsecond")


def test_a_field_that_json_does_not_know_is_told_as_text() -> None:
    assert in_json(LogLine(why=ValueError("so")))["why"] == "so"


def test_lines_about_a_job_name_the_request_that_made_it(store: JobStore) -> None:
    traced = make_new_job("a", origin=Origin("req-1", TRACEPARENT))
    assert about(store.submit(traced, max_queued=2).job) == {
        "job_id": "a",
        "attempt": 0,
        "request_id": "req-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    untraced = make_new_job("b", origin=Origin("req-2"))
    assert "trace_id" not in about(store.submit(untraced, max_queued=2).job)


def test_the_form_is_text_or_json() -> None:
    assert parse_log_format(" JSON ") is LogFormat.JSON
    with pytest.raises(ValueError, match="expected text or json"):
        parse_log_format("xml")


def test_warnings_and_threads_that_die_are_lines_too() -> None:
    code = """
import logging, threading, warnings
from tasks.jobs.logs import LogFormat, log_end_of_thread, log_lines_to_stderr
log_lines_to_stderr(logging.WARNING, LogFormat.JSON)
threading.excepthook = log_end_of_thread
warnings.warn("careful")
for error in (ValueError, SystemExit):
    def fail():
        raise error("first\\nsecond")
    thread = threading.Thread(target=fail, name="worst")
    thread.start()
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    warning, death = map(json.loads, done.stderr.splitlines())
    assert "careful" in warning["message"]
    assert death["message"] == "the thread worst has died"
    assert death["exception"].endswith("ValueError: first\nsecond")
