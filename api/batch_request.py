"""What a batch may ask for: its own options, and its items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.errors import FieldError, InvalidParameters
from api.json_body import check_value
from api.request import SEVEN_DAYS_SECONDS, TWO_LENGTHS, WHOLE, Metadata, PredictRequest, WebhookUrl, parse_as

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
    "webhook": "is given once for the whole batch, and told of its end",
    "webhook_events": "has no meaning in a batch, whose webhook is told of its end",
}


LENGTHS = frozenset({"max_length", "max_new_tokens"})


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    """The description of a request that has these fields and must not be sent with them."""

    def describe(schema: dict[str, Any]) -> None:
        schema["not"] = TWO_LENGTHS
        schema["required"] = [each for each in schema["required"] if each not in names]
        for each in names:
            del schema["properties"][each]

    return describe


class BatchItemRequest(PredictRequest):
    """One item of a batch. A field that is not given takes the batch's default."""

    model_config = ConfigDict(json_schema_extra=without(*OF_THE_BATCH))

    custom_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Your name for it; each once in a batch."""


class BatchDefaults(BatchItemRequest):
    """Fields for all items that do not have them."""

    model_config = ConfigDict(json_schema_extra=without("text", "custom_id", *OF_THE_BATCH))


def as_given(defaults: Any) -> Any:
    """parse_options() checks the fields, so that errors name them as the client has."""
    return defaults


class BatchOptions(BaseModel):
    """What holds for a whole batch."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    defaults: Annotated[dict[str, Any], BeforeValidator(as_given, json_schema_input_type=BatchDefaults)] = (
        Field(default_factory=dict)
    )
    """Fields for all items that do not have them."""
    deadline_s: Annotated[float, Field(ge=0.001, le=SEVEN_DAYS_SECONDS)] = DAY_SECONDS
    """Seconds from now; items that have not started by then are `expired`."""
    ttl_s: Annotated[int, Field(ge=1, le=SEVEN_DAYS_SECONDS), WHOLE] = DAY_SECONDS
    """Seconds that the batch is kept after its end."""
    metadata: Metadata = Field(default_factory=dict)
    """An object of up to 2 KiB as JSON that comes back with the batch."""
    webhook: WebhookUrl | None = None
    """Who is told of the batch's end: an address on the Internet, `https://` alone."""

    def digest(self) -> bytes:
        """Without the defaults, which are a part of every item."""
        values = self.model_dump(exclude_defaults=True, exclude={"defaults"})
        return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).digest()


class BatchRequest(BatchOptions):
    """A batch as one JSON object. It only describes: read_batch() parses items one at a time."""

    requests: Annotated[list[BatchItemRequest], Field(min_length=1, max_length=MAX_ITEMS)]
    """The items."""


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
