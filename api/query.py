"""Query parameters: one type for those of a route, which checks them and describes them."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from werkzeug.datastructures import MultiDict

from api.request import parse_as


class Query(BaseModel):
    """The parameters of a route that takes none."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


Wanted = TypeVar("Wanted", bound=Query)


def parse_query(kind: type[Wanted], query: MultiDict[str, str]) -> Wanted:
    """Of a parameter that was given twice its type gets a list. Raises InvalidParameters."""
    given = {name: query.getlist(name) for name in kind.model_fields if name in query}
    return parse_as(kind, {name: each if len(each) > 1 else each[0] for name, each in given.items()})
