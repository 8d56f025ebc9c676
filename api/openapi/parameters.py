"""Parameters of path, query and header."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from werkzeug.routing import Rule

from api.answers.values import BatchId, JobId
from api.openapi.headers import REQUEST
from api.openapi.operation import Operation
from api.openapi.schemas import Schema, Schemas
from api.preference import WaitQuery
from api.query import Query
from api.settings import ApiSettings
from api.surplus import QUERY

#: Of the path, by its name in rules.
PATH: dict[str, Schema] = {
    "job_id": {**TypeAdapter(JobId).json_schema(), "description": "The job's `id`."},
    "batch_id": {**TypeAdapter(BatchId).json_schema(), "description": "The batch's `id`."},
    "model": {"type": "string", "minLength": 1, "description": "The model's name."},
    "version": {"type": "string", "description": "Of all files together; what it names never changes."},
    "name": {"type": "string", "description": "The file's name."},
}

#: What every request may have.
EVERY = "X-Request-Id"


class Parameters:
    """`shared` are components."""

    def __init__(self, schemas: Schemas, settings: ApiSettings) -> None:
        kinds = dict.fromkeys([Query, *QUERY.values()])
        self._queries = {kind: schemas.take(kind).get("properties", {}) for kind in kinds}
        self._settings = settings
        self.shared = {name: parameter(name, "header", schema) for name, schema in REQUEST.items()}

    def of(self, rule: Rule, operation: Operation) -> list[dict[str, Any]]:
        found = [parameter(name, "path", PATH[name]) for name in sorted(rule.arguments)]
        kind = QUERY.get(rule.endpoint, Query)
        for name, schema in self._queries[kind].items():
            default = self._default_wait(rule.endpoint) if kind is WaitQuery else {}
            found.append(parameter(name, "query", {**not_null(schema), **default}))
        names = [*operation.headers, EVERY]
        return found + [{"$ref": f"#/components/parameters/{name}"} for name in names]

    def _default_wait(self, endpoint: str) -> Schema:
        return {"default": self._settings.sync_wait_seconds if endpoint == "jobs.predict" else 0}


def parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    shown = {key: value for key, value in schema.items() if key != "description"}
    found: dict[str, Any] = {"name": name, "in": place, "description": schema["description"], "schema": shown}
    if place == "path":
        found["required"] = True
    if shown.get("type") == "array":  # With commas.
        found.update(style="form", explode=False)
    return found


def not_null(schema: Schema) -> Schema:
    """A parameter is not there rather than null."""
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    if "anyOf" not in schema:
        return schema
    (other,) = (each for each in schema["anyOf"] if each != {"type": "null"})
    return {**other, **rest}
