"""Types as JSON schemas, each once and under its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import TypeAdapter

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]

REF = "#/components/schemas/{model}"


class Schemas:
    """`components` are those of all types that were named; `of` is what stands for one of them."""

    def __init__(self, accepted: Iterable[Any], answered: Iterable[Any]) -> None:
        kinds: list[tuple[Any, Mode]] = [(kind, "validation") for kind in dict.fromkeys(accepted)]
        kinds += [(kind, "serialization") for kind in dict.fromkeys(answered)]
        made, definitions = TypeAdapter.json_schemas(
            [(kind, mode, TypeAdapter(kind)) for kind, mode in kinds],
            ref_template=REF,
        )
        self._made = {kind: schema for (kind, _), schema in made.items()}
        self.components: dict[str, Schema] = definitions.get("$defs", {})
        for schema in self.components.values():
            for each in (schema, *schema.get("properties", {}).values()):
                each.pop("title", None)  # Made of the name, which is there.
        for kind, _ in kinds:
            self._describe_inherited(kind)

    def of(self, kind: Any) -> Schema:
        return dict(self._made[kind])

    def take(self, kind: Any) -> Schema:
        """The schema itself, which is no component then."""
        return self.components.pop(kind.__name__)

    def _describe_inherited(self, kind: Any) -> None:
        """pydantic reads the descriptions of a TypedDict from its own lines alone."""
        for base in getattr(kind, "__orig_bases__", ()):
            described = self.components.get(getattr(base, "__name__", ""), {}).get("properties", {})
            for name, schema in described.items():
                own = self.components[kind.__name__]["properties"][name]
                if "description" in schema:
                    own.setdefault("description", schema["description"])
