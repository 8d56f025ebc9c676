"""When a process makes traces, and what the others do without."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tasks.jobs.names import VERSION
from tasks.jobs.tracing import is_wanted, tracer_from_env
from tests.spans import Recorder

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_SERVICE_NAME": "text"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_traces_are_made_where_there_is_an_endpoint_and_nobody_turns_them_off(
    environ: dict[str, str], wanted: bool
) -> None:
    assert is_wanted(environ) is wanted


def test_without_the_packages_a_warning_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "tasks.jobs.otel", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert tracer_from_env(ENDPOINT, "test", "1") is None
    (line,) = caplog.messages
    assert line.startswith("no traces: ")
    assert line.endswith("install requirements/otel.txt")


def test_without_an_endpoint_nothing_is_imported_that_makes_traces() -> None:
    """redis-py imports what makes OpenTelemetry's metrics, where it is installed."""
    code = """
import sys
import tasks.worker.parts
from api.app import from_environment
from api.service import EXTENSION
assert from_environment().extensions[EXTENSION].tracer is None
print([name for name in ("tasks.jobs.otel", "opentelemetry.sdk.trace") if name in sys.modules])
"""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def resource_of(recorder: Recorder) -> dict[str, Any]:
    recorder.tracer.span("test").end()
    (span,) = recorder.stop()
    return dict(span.resource.attributes)


def test_spans_name_their_process() -> None:
    told = resource_of(Recorder())
    names = ("service.name", "service.version", "service.instance.id")
    assert tuple(told[name] for name in names) == ("test", VERSION, "instance-1")


def test_what_the_environment_says_of_the_process_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "stories")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    told = resource_of(Recorder())
    assert (told["service.name"], told["deployment.environment.name"]) == ("stories", "test")
