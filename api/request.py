"""What a client may ask for: the body of POST /predict, parsed once into a frozen, valid type."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic import model_validator as validates_model
from pydantic_core import ErrorDetails, PydanticCustomError

from api.errors import FieldError, InvalidParameters

MAX_METADATA_BYTES = 2048
MAX_STOP_CHARS = 256
SEVEN_DAYS_SECONDS = 7 * 24 * 3600
#: How much of an unknown field's name or of a refused word an error repeats.
MAX_ECHO_CHARS = 64
MAX_ERRORS = 20

#: Fields whose text belongs to the client alone: errors never repeat it.
PRIVATE_FIELDS = frozenset({"text", "stop", "metadata"})

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


Metadata = Annotated[dict[str, Any], AfterValidator(check_metadata)]
StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]


class PredictRequest(BaseModel):
    """Sampling fields that are None take the value of the model's card."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    text: str = Field(min_length=1)
    max_length: Annotated[int, Field(ge=1)] | None = None  #: Prompt and generated tokens together.
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    do_sample: bool | None = None
    temperature: Annotated[float, Field(ge=0.001, le=100)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    stop: Annotated[tuple[StopString, ...], BeforeValidator(as_tuple), Field(max_length=16)] = ()
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    num_return_sequences: int = Field(1, ge=1, le=8)
    return_full_text: bool = True
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    deadline_s: Annotated[float, Field(gt=0, le=SEVEN_DAYS_SECONDS)] | None = None
    ttl_s: int = Field(3600, ge=1, le=SEVEN_DAYS_SECONDS)
    cancel_on_disconnect: bool = False
    metadata: Metadata = Field(default_factory=dict)

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
        details = error.errors(include_url=False)[:MAX_ERRORS]
        raise InvalidParameters([describe(each) for each in details]) from None


def describe(error: ErrorDetails) -> FieldError:
    path = [str(part)[:MAX_ECHO_CHARS] for part in error["loc"]] or ["max_length"]
    context = error.get("ctx", {})
    if error["type"] in MESSAGES:
        message = MESSAGES[error["type"]].format(**context)
    else:
        message = error["msg"].replace("Input should be", "must be")
    if error["type"] not in ("extra_forbidden", "missing", "two_lengths"):
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
