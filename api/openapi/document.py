"""The document of an app: its routes, in the order in which they were registered."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from api.answers.events import EVENTS
from api.answers.job import ListedJob
from api.answers.problem import Problem
from api.authentication import OPEN
from api.batch_request import MAX_ITEMS, BatchItemRequest, BatchRequest
from api.openapi.answers import Answers
from api.openapi.bodies import bodies
from api.openapi.operations import OPERATIONS, TAGS
from api.openapi.parameters import Parameters
from api.openapi.schemas import Schemas
from api.query import Query
from api.request import PredictRequest
from api.settings import ApiSettings
from api.surplus import QUERY
from tasks.jobs.names import VERSION

DESCRIPTION = (
    "Text generation behind a dependable job queue. Everything is JSON; what is not a field or parameter of "
    "a request is refused, never ignored. Every refusal is a problem document (RFC 9457) whose `code` never "
    "changes."
)

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, where the service asks for one: jobs and batches are those of its name.",
}


def every_schema() -> Schemas:
    operations = OPERATIONS.values()
    answers = [each for one in operations for answer in one.answers for each in answer.contents]
    answers += [one.refusal.content for one in operations if one.refusal]
    return Schemas(
        accepted=[*QUERY.values(), Query, *(each.kind for one in operations for each in one.body)],
        answered=[ListedJob, Problem, *EVENTS.values(), *(each.kind for each in answers if each.kind)],
    )


#: Made at import: pydantic parses source for the descriptions, which Python 3.11 cannot do in two threads.
SCHEMAS = every_schema()


def make_document(app: Flask, settings: ApiSettings, *, asks_for_keys: bool) -> dict[str, Any]:
    """OpenAPI 3.1, with the limits of these settings."""
    schemas = copy.deepcopy(SCHEMAS)
    parameters = Parameters(schemas, settings)
    answers = Answers(schemas, settings, asks_for_keys=asks_for_keys)
    paths: dict[str, dict[str, Any]] = {}
    for rule, method in routes(app):
        operation = OPERATIONS[rule.endpoint, method]
        described = {
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "description": operation.description,
            "parameters": parameters.of(rule, operation),
            "responses": answers.of(rule.endpoint, operation),
        }
        if operation.body:
            described["requestBody"] = {"required": True, "content": bodies(operation.body, schemas)}
        if rule.endpoint in OPEN:
            described["security"] = []
        paths.setdefault(path_of(rule), {})[method.lower()] = described
    limit(schemas, settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NeoServe",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "security": [{"bearer": []}] if asks_for_keys else [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": answers.shared,
            "parameters": parameters.shared,
            "securitySchemes": {"bearer": BEARER},
        },
    }


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Those that somebody wrote: HEAD and OPTIONS come by themselves."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def path_of(rule: Rule) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def limit(schemas: Schemas, settings: ApiSettings) -> None:
    """What the types leave to the settings."""
    for kind in (PredictRequest, BatchItemRequest):
        schemas.components[kind.__name__]["properties"]["text"]["maxLength"] = settings.max_prompt_chars
    items = schemas.components[BatchRequest.__name__]["properties"]["requests"]
    items["maxItems"] = min(MAX_ITEMS, settings.max_batch_items)
