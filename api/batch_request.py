"""What a batch may ask for: its own options, and its items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.errors import FieldError, InvalidParameters
from api.json_body import check_value
from api.request import SEVEN_DAYS_SECONDS, Metadata, PredictRequest, parse_as

#: Of one batch.
MAX_ITEMS = 10_000
DAY_SECONDS = 24 * 3600

#: How long an item that has ended is kept as a job of its own; its result is in the batch.
ITEM_TTL_SECONDS = 300

#: What an item must not say for itself.
OF_THE_BATCH = {
    "priority": "is low for every item of a batch",
    "deadline_s": "is given once for the whole batch",
    "ttl_s": "is given once for the whole batch",
    "cancel_on_disconnect": "has no meaning in a batch, which nobody waits for",
}


LENGTHS = frozenset({"max_length", "max_new_tokens"})


class BatchItemRequest(PredictRequest):
    """One item, the batch's defaults among its fields."""

    custom_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class BatchOptions(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    defaults: dict[str, Any] = Field(default_factory=dict)  #: Fields for all items that do not have them.
    deadline_s: Annotated[float, Field(gt=0, le=SEVEN_DAYS_SECONDS)] = DAY_SECONDS
    ttl_s: Annotated[int, Field(ge=1, le=SEVEN_DAYS_SECONDS)] = DAY_SECONDS
    metadata: Metadata = Field(default_factory=dict)

    def digest(self) -> bytes:
        """Without the defaults, which are a part of every item."""
        values = self.model_dump(exclude_defaults=True, exclude={"defaults"})
        return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).digest()


def parse_options(body: Mapping[str, Any]) -> BatchOptions:
    """Raises InvalidParameters."""
    for name, value in body.items():
        check_value(name, value)
    options = parse_as(BatchOptions, body)
    own = dict.fromkeys(("text", "custom_id"), "belongs to one item")
    errors = refused(options.defaults, {**own, **OF_THE_BATCH})
    try:
        parse_as(BatchItemRequest, {"text": "a prompt", **options.defaults})
    except InvalidParameters as error:
        errors += error.errors
    if errors:
        raise InvalidParameters(prefixed("defaults", errors))
    return options


def parse_item(item: Any, options: BatchOptions) -> BatchItemRequest:
    """Raises InvalidParameters, with the names of fields as the item has them."""
    if not isinstance(item, dict):
        raise InvalidParameters.of("", "must be an object")
    for name, value in item.items():
        check_value(name, value)
    errors = refused(item, OF_THE_BATCH)
    if errors:
        raise InvalidParameters(errors)
    ttl_s = min(options.ttl_s, ITEM_TTL_SECONDS)
    defaults = dict(options.defaults)
    if LENGTHS & item.keys():  # They say the same in two ways: the item's own way goes before the other.
        defaults = {name: value for name, value in defaults.items() if name not in LENGTHS}
    return parse_as(BatchItemRequest, {**defaults, **item, "priority": "low", "ttl_s": ttl_s})


def refused(fields: Iterable[str], reasons: Mapping[str, str]) -> list[FieldError]:
    return [FieldError(name, reasons[name]) for name in fields if name in reasons]


def prefixed(where: str, errors: Iterable[FieldError], note: str = "") -> list[FieldError]:
    """The same errors of something that is a part of the request; `note` goes before their words."""
    return [FieldError(f"{where}.{each.field}".rstrip("."), note + each.message) for each in errors]
