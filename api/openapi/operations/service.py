"""What operators and probes ask."""

from __future__ import annotations

from collections.abc import Mapping

from api.answers.health import Health
from api.answers.service import Alive, Info, Ready
from api.openapi.operation import Answer, Content, Operation, json_of
from api.openapi.operations.common import STORE

SERVICE: Mapping[tuple[str, str], Operation] = {
    ("service.info", "GET"): Operation(
        id="getInfo",
        tag="Service",
        summary="Models and limits",
        description="Which models answer here, with what defaults, and what a request may hold.",
        answers=(Answer(200, "The models and the limits.", json_of(Info)),),
        codes=STORE,
    ),
    ("service.health", "GET"): Operation(
        id="getHealth",
        tag="Service",
        summary="The whole fleet",
        description="Its queue, its models, its workers; at most a second old. 200 whenever that is known.",
        answers=(Answer(200, "The fleet.", json_of(Health)),),
        codes=STORE,
    ),
    ("service.healthz", "GET"): Operation(
        id="isAlive",
        tag="Service",
        summary="Is the process alive?",
        description="Asks nobody else.",
        answers=(Answer(200, "It is.", json_of(Alive)),),
    ),
    ("service.readyz", "GET"): Operation(
        id="isReady",
        tag="Service",
        summary="Does the process take requests?",
        description="Also without its store: clients then get a 503 that says when to try again.",
        answers=(Answer(200, "It does.", json_of(Ready)),),
        codes=("draining",),
    ),
    ("service.metrics", "GET"): Operation(
        id="getMetrics",
        tag="Service",
        summary="Figures for Prometheus",
        description="Prometheus' text format, or OpenMetrics for a scraper that asks for it.",
        answers=(
            Answer(200, "The figures.", (Content("text/plain"), Content("application/openmetrics-text"))),
        ),
        codes=STORE,
    ),
}
