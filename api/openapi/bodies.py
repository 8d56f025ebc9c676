"""Bodies as the document shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.answers.events import EVENTS
from api.batch_body import JSON_LINES
from api.event_format import EVENT_STREAM
from api.openapi.operation import JSON, Content
from api.openapi.schemas import Schema, Schemas


def bodies(contents: Iterable[Content], schemas: Schemas) -> dict[str, Any]:
    """By media type."""
    return {each.media_type: body(each, schemas) for each in contents}


def body(content: Content, schemas: Schemas) -> dict[str, Any]:
    """OpenAPI 3.1 has no schema for lines: `x-lines` is that of each. Of a stream it is that of an event."""
    text = (
        {"type": "string", "description": content.description} if content.description else {"type": "string"}
    )
    shown: dict[str, Any] = {"schema": text}
    if content.media_type in JSON_LINES:
        shown["x-lines"] = schemas.of(content.kind)
    elif content.media_type == EVENT_STREAM and content.kind is not None:
        shown["schema"] = {
            **text,
            "type": "object",
            "properties": {"data": json_text(schemas.of(content.kind))},
        }
    elif content.media_type == EVENT_STREAM:
        shown["schema"] = {**text, "type": "object", "oneOf": [event(name, schemas) for name in EVENTS]}
    elif content.kind is not None:
        shown["schema"] = schemas.of(content.kind)
    if content.examples:
        shown["examples"] = {name: {"value": example} for name, example in content.examples.items()}
    return shown


def event(name: str, schemas: Schemas) -> dict[str, Any]:
    """Its fields, as the standard of server-sent events names them."""
    data = json_text(schemas.of(EVENTS[name]))
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": {"const": name}, "data": data, "id": {"type": "string"}},
    }


def json_text(schema: Schema) -> Schema:
    return {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
