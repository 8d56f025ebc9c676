"""Traces, where the environment asks for them; else nothing of OpenTelemetry is even imported."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.jobs.log_line import LogLine

if TYPE_CHECKING:
    from tasks.jobs.otel import Tracer

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether there is an endpoint, and none of the other standard variables turns traces off."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return any(environ.get(name) for name in ENDPOINTS) and not disabled and exporter != "none"


def tracer_from_env(environ: Mapping[str, str], service: str, instance: str) -> Tracer | None:
    """Of a process of the kind `service`; `instance` tells it from others. None: no traces.

    Starts a thread. What else it takes from the environment is OpenTelemetry's own.
    """
    if not is_wanted(environ):
        return None
    try:
        from tasks.jobs.otel import Tracer
    except ModuleNotFoundError as error:
        log.warning(LogLine(f"no traces: {error}; install requirements/otel.txt"))
        return None
    return Tracer(service, instance)
