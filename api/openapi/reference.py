"""The document as the page shows it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

from api.openapi.schemas import Schema

#: What stands for a parameter of the path in a command.
VARIABLES = {
    "job_id": "$job",
    "batch_id": "$batch",
    "model": "$model",
    "version": "$version",
    "name": "$name",
}

KINDS = {"integer": "whole number", "object": "object", "string": "text", "null": "null"}


class Reference:
    """What the template asks for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.info = document["info"]
        self.schemas: Mapping[str, Schema] = document["components"]["schemas"]
        self.shared: Mapping[str, Any] = document["components"]["responses"]  #: Refusals of any request.
        self._document = document

    def tags(self) -> Iterator[tuple[Mapping[str, str], list[tuple[str, str, Any]]]]:
        """Each with its operations: method, path, and what is said of it."""
        for tag in self._document["tags"]:
            yield tag, [each for each in self._operations() if tag["name"] in each[2]["tags"]]

    def _operations(self) -> Iterator[tuple[str, str, Any]]:
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def resolved(self, part: Any) -> Any:
        """Itself, or the component that it stands for."""
        if "$ref" not in part:
            return part
        _, components, group, name = part["$ref"].split("/")
        return self._document[components][group][name]


def curl(operation: Mapping[str, Any], method: str, path: str) -> str:
    """A line that can be typed as it is, once its variables are set."""
    words = ["curl", "-s"] if method in ("GET", "POST") else ["curl", "-s", "-X", method]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        example = next(iter(body["examples"].values()))["value"]
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(example))]
    elif method == "POST":
        words += ["-X", "POST"]
    address = re.sub(r"\{(\w+)\}", lambda found: VARIABLES[found[1]], path)
    return " ".join([*words, f'"$url{address}"'])


def kind(schema: Schema) -> Markup:
    """The type in words, with links to those that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return Markup('<a href="#type-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(map(kind, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(", ").join(Markup("<code>{}</code>").format(each) for each in values)
    if schema.get("type") == "array":
        return Markup("list of {}{}").format(kind(schema.get("items", {})), bounds(schema, "Items"))
    if schema.get("type") == "boolean":
        return Markup("<code>true</code>, <code>false</code>")
    word = KINDS.get(schema.get("type", ""), schema.get("type", "anything"))
    return escape(f"{word}{bounds(schema, 'Length', ' characters')}{numbers(schema)}")


def bounds(schema: Schema, of: str, unit: str = "") -> str:
    least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
    if most is not None:
        return f", {least or 0} to {most:,}{unit}"
    return f", at least {least}{unit}" if least and least > 1 else ""


def numbers(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    if most is not None and above is not None:
        return f", above {plain(above)} to {plain(most)}"
    if most is not None and least is not None:
        return f", {plain(least)} to {plain(most)}"
    return f", {plain(least)} or more" if least is not None else ""


def plain(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else str(number)


def prose(text: str) -> Markup:
    """With what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(each) if number % 2 else escape(each)
        for number, each in enumerate(parts)
    )


def indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


FILTERS = {each.__name__: each for each in (curl, indented, kind, prose)}
