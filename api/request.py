"""What a client may ask for: the body of POST /predict, parsed once into a frozen, valid type."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic import model_validator as validates_model
from pydantic_core import ErrorDetails, PydanticCustomError

from api.errors import FieldError, InvalidParameters

MAX_METADATA_BYTES = 2048
MAX_STOP_CHARS = 256
MAX_STOPS = 16
MAX_WEBHOOK_CHARS = 2048
#: Far beyond every model; the model's own limit is named where it is known.
MAX_TOKENS = 2**31 - 1
SEVEN_DAYS_SECONDS = 7 * 24 * 3600
#: How much of an unknown field's name or of a refused word an error repeats.
MAX_ECHO_CHARS = 64
MAX_ERRORS = 20

#: Fields whose text belongs to the client alone: errors never repeat it.
PRIVATE_FIELDS = frozenset({"text", "prompt", "suffix", "stop", "metadata", "user", "webhook"})

#: What other services call it, or how they are asked for it.
HINTS = {
    "inputs": "it is called text",
    "max_tokens": "it is called max_new_tokens",
    "n": "it is called num_return_sequences",
    "prompt": "it is called text",
    "stream": "for events send Accept: text/event-stream to POST /predict",
}

Parsed = TypeVar("Parsed", bound=BaseModel)

#: Clearer words than pydantic's, by its error type.
MESSAGES = {
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "tuple_type": "must be a string or a list of strings",
}


def as_tuple(stop: Any) -> Any:
    if isinstance(stop, str):
        return (stop,)
    return tuple(stop) if isinstance(stop, list) else stop


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_METADATA_BYTES:
        raise PydanticCustomError(
            "metadata_too_large",
            "must be at most {limit} bytes as JSON, not {size}",
            {"limit": MAX_METADATA_BYTES, "size": size},
        )
    return metadata


def as_whole(number: Any) -> Any:
    """8.0 is a whole number in JSON, and how some languages write 8."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


WHOLE = BeforeValidator(as_whole)
Metadata = Annotated[dict[str, Any], AfterValidator(check_metadata)]
StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
WebhookUrl = Annotated[str, Field(min_length=1, max_length=MAX_WEBHOOK_CHARS)]


WebhookEventName = Literal["started", "completed"]

#: A single string stands for a list of it.
OneOrMoreStops = StopString | Annotated[list[StopString], Field(max_length=MAX_STOPS)]
OneOrMoreEvents = WebhookEventName | Annotated[list[WebhookEventName], Field(min_length=1, max_length=2)]

#: What is refused although each of its fields is fine; null is as good as nothing.
TWO_LENGTHS: dict[str, JsonValue] = {
    "required": ["max_length", "max_new_tokens"],
    "properties": {"max_length": {"type": "integer"}, "max_new_tokens": {"type": "integer"}},
}


class PredictRequest(BaseModel):
    """What is to be written. Sampling fields that are null, or not given, are as the model's card says."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        json_schema_extra={"not": TWO_LENGTHS},
    )

    text: str = Field(min_length=1)
    """The prompt."""
    max_length: Annotated[int, Field(ge=1, le=MAX_TOKENS), WHOLE] | None = None
    """Tokens of prompt and continuation together; without either length 50, but at least 20 new ones."""
    max_new_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS), WHOLE] | None = None
    """Tokens of the continuation; instead of `max_length`."""
    do_sample: bool | None = None
    """Draw the tokens (true), or always take the likeliest (false). Not given: as the model's card says."""
    temperature: Annotated[float, Field(ge=0.001, le=100)] | None = None
    """How evenly tokens are drawn. Not given: as the model's card says."""
    top_k: Annotated[int, Field(ge=0, le=1_000_000), WHOLE] | None = None
    """Draw among so many of the likeliest tokens; 0 is off. Not given: as the model's card says."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Draw among the likeliest tokens of this probability together. Not given: as the model's card says."""
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    """How unlikely tokens become that are there already; 1 is off. Not given: as the model's card says."""
    stop: Annotated[
        tuple[StopString, ...],
        Field(max_length=MAX_STOPS),
        BeforeValidator(as_tuple, json_schema_input_type=OneOrMoreStops),
    ] = ()
    """A string, or several, at which the text ends; the string itself is left out."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1), WHOLE] | None = None
    """The same request with the same seed gives the same text. Not given: drawn, and reported."""
    num_return_sequences: Annotated[int, Field(ge=1, le=8), WHOLE] = 1
    """How many texts; text number i is drawn with seed + i."""
    return_full_text: bool = True
    """Put the prompt in front of the text."""
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Which model, when several are served. Not given: the one that registered last."""
    priority: Literal["high", "normal", "low"] = "normal"
    """They share the workers 8 : 3 : 1."""
    deadline_s: Annotated[float, Field(ge=0.001, le=SEVEN_DAYS_SECONDS)] | None = None
    """Seconds from now; a job that cannot make it is given up, or refused at once."""
    ttl_s: Annotated[int, Field(ge=1, le=SEVEN_DAYS_SECONDS), WHOLE] = 3600
    """Seconds that the ended job is kept; with a `webhook` a day, where it is not given."""
    cancel_on_disconnect: bool = False
    """Cancel the job when the last client that waits for it or reads its stream hangs up."""
    webhook: WebhookUrl | None = None
    """Who is told of the job's end: an address on the Internet, `https://` alone."""
    webhook_events: (
        Annotated[
            tuple[WebhookEventName, ...],
            Field(min_length=1, max_length=2),
            BeforeValidator(as_tuple, json_schema_input_type=OneOrMoreEvents),
        ]
        | None
    ) = None
    """What it is told of; not given: `["completed"]`."""
    metadata: Metadata = Field(default_factory=dict)
    """An object of up to 2 KiB as JSON that comes back with the job."""

    @validates_model(mode="after")
    def only_one_length_is_given(self) -> PredictRequest:
        if self.max_length is not None and self.max_new_tokens is not None:
            raise PydanticCustomError(
                "two_lengths",
                "give either max_length (prompt and new tokens together) or max_new_tokens, not both",
            )
        return self

    def digest(self) -> str:
        """Equal for equal requests, however their JSON was written, and in releases with more fields."""
        canonical = json.dumps(self.model_dump(exclude_defaults=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def parse_request(body: Mapping[str, Any]) -> PredictRequest:
    """Raises InvalidParameters with one entry for each field that cannot be used (the first 20)."""
    return parse_as(PredictRequest, body)


def parse_as(kind: type[Parsed], body: Mapping[str, Any]) -> Parsed:
    """Raises InvalidParameters as parse_request() does."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        details = [each for each in error.errors(include_url=False) if not follows_from_another(each)]
        raise InvalidParameters([describe(each) for each in details[:MAX_ERRORS]]) from None


def follows_from_another(error: ErrorDetails) -> bool:
    """A list is too short for pydantic once it has left out the items with mistakes of their own."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def describe(error: ErrorDetails) -> FieldError:
    path = [str(part)[:MAX_ECHO_CHARS] for part in error["loc"]] or ["max_length"]
    context = error.get("ctx", {})
    if error["type"] in MESSAGES:
        message = MESSAGES[error["type"]].format(**context)
    else:
        message = error["msg"].replace("Input should be", "must be")
    if error["type"] not in ("extra_forbidden", "missing", "two_lengths") and "given" not in context:
        message += f" (given: {given(path[0], error['input'])})"
    if path == ["temperature"] and error["input"] == 0:
        message += "; for the likeliest token each time set do_sample to false"
    if error["type"] == "extra_forbidden" and path[-1] in HINTS:
        message += f"; {HINTS[path[-1]]}"
    return FieldError(".".join(path), message)


def given(field: str, value: Any) -> str:
    """The refused value where repeating it is short and gives nothing private away, else its kind."""
    if isinstance(value, dict | list | tuple):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, str) and (field in PRIVATE_FIELDS or len(value) > MAX_ECHO_CHARS):
        return f"{len(value)} characters"
    return "not a string" if field in PRIVATE_FIELDS else json.dumps(value)
