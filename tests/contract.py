"""Whether answers are those that the document promises, and hold no member that it lacks."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Schema = dict[str, Any]


class Contract:
    """A failed check is an AssertionError that says what was wrong, and shows the answer."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False

    def check(self, path: str, method: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        where = f"{method} {path} {status}"
        answers = self._document["paths"][path][method.lower()]["responses"]
        assert str(status) in answers, f"{where} is not in the document: {body!r}"
        answer = self._resolved(answers[str(status)])
        self._check_headers(where, answer["headers"], headers)
        contents = answer.get("content", {})
        if not contents:
            assert body == b"", where
            return
        media_type = headers["Content-Type"].partition(";")[0]
        assert media_type in contents, f"{where} is {media_type}"
        if method != "HEAD":
            self._check_body(where, media_type, contents[media_type], body)

    def _check_headers(self, where: str, promised: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        for name, header in promised.items():
            value: Any = headers.get(name)
            if value is None:
                assert not header.get("required"), f"{where} has no {name}"
                continue
            if header["schema"].get("type") == "integer":
                value = int(value)
            self._validate(f"{where} {name}", header["schema"], value)

    def _check_body(self, where: str, media_type: str, content: Schema, body: bytes) -> None:
        if "json" in media_type and "x-lines" not in content:
            self._validate(where, content["schema"], json.loads(body))
        for line in body.splitlines() if "x-lines" in content else ():
            self._validate(where, content["x-lines"], json.loads(line))
        for event in content["schema"].get("oneOf", ()):
            name, data = (event["properties"][each] for each in ("event", "data"))
            for told in told_events(body).get(name["const"], ()):
                self._validate(f"{where} {name['const']}", data["contentSchema"], told)

    def _validate(self, where: str, schema: Schema, value: Any) -> None:
        whole = {**schema, "components": self._components}
        errors = list(Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value))
        told = [f"{each.json_path}: {each.message[:500]}" for each in errors]
        assert told == [], f"{where}: {told}\n{value}"

    def _resolved(self, part: Schema) -> Schema:
        if "$ref" not in part:
            return part
        *_, group, name = part["$ref"].split("/")
        return dict(self._document["components"][group][name])


def told_events(body: bytes) -> dict[str, list[Any]]:
    """The data of those that are whole, by name."""
    told: dict[str, list[Any]] = {}
    for block in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            told.setdefault(fields["event"], []).append(json.loads(fields["data"]))
    return told
