"""Whether an API server would know every field of an object."""

from __future__ import annotations

from functools import cache
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from tests.unit.deploy.files import ROOT

from .cluster import title

VERSIONS = ["1.35", "1.36", "1.37"]

#: Of other projects, by the kinds' names; README.md beside them says where they are from.
CUSTOM = {path.stem: path for path in (ROOT / "tests/data/crds").glob("*.yaml")}


def custom(each: dict[str, Any]) -> bool:
    return each["kind"].lower() in CUSTOM


def complaint(each: dict[str, Any], version: str) -> str:
    """The first one; empty if there is none. An object of a kind that nobody knows raises."""
    if custom(each):
        error = next(_of_custom_kind(each["kind"].lower()).iter_errors(each), None)
        return f"{title(each)}: {error.json_path}: {error.message}" if error else ""
    try:
        kubernetes_validate.validate(each, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{title(each)}: {error.json_path}: {error.message}"
    return ""


@cache
def _of_custom_kind(kind: str) -> Draft202012Validator:
    schema = yaml.safe_load(CUSTOM[kind].read_text(encoding="utf-8"))
    return Draft202012Validator(_closed(schema))


def _closed(schema: Any) -> Any:
    """With no other fields than those it lists, wherever it lists any."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
