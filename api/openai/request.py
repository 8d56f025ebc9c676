"""What a client of OpenAI's API may ask for: the body of POST /v1/completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.errors import FieldError, InvalidParameters
from api.request import MAX_TOKENS, SEVEN_DAYS_SECONDS, WHOLE, StopString, as_tuple, parse_as

#: Prompts of one request: as many items of a batch as run at the same time.
MAX_PROMPTS = 64
MAX_STOPS = 4
MAX_CHOICES = 8
MAX_USER_CHARS = 256
#: What is less than this draws the likeliest token anyway.
MIN_TEMPERATURE = 0.001
#: The last row is drawn with seed + 7.
MAX_SEED = 2**63 - MAX_CHOICES

PROMPTS = f"must be a string or a list of 1 to {MAX_PROMPTS} strings that are not empty"


def as_prompts(prompt: Any) -> Any:
    if isinstance(prompt, str) and prompt:
        return (prompt,)
    if not isinstance(prompt, list) or not 1 <= len(prompt) <= MAX_PROMPTS:
        raise PydanticCustomError("prompt", PROMPTS)
    if any(isinstance(each, int | list) for each in prompt):
        raise PydanticCustomError("prompt", f"{PROMPTS}; token ids are not taken, send the text")
    if not all(isinstance(each, str) and each for each in prompt):
        raise PydanticCustomError("prompt", PROMPTS)
    return tuple(prompt)


def only(*neutral: Any, because: str) -> AfterValidator:
    """Clients send these with values that change nothing; any other is refused, since it would be ignored."""

    def check(value: Any) -> Any:
        if value is not None and value not in neutral:
            raise PydanticCustomError("unsupported", because)
        return value

    return AfterValidator(check)


Prompt = Annotated[str, Field(min_length=1)]
OneOrMorePrompts = Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=MAX_PROMPTS)]
OneOrMoreStops = StopString | Annotated[list[StopString], Field(max_length=MAX_STOPS)]
Penalty = Annotated[
    float | None,
    only(0, because="must be 0: there is repetition_penalty instead"),
    WithJsonSchema({"enum": [0, None]}),
]

FROZEN = ConfigDict(
    strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
)


class StreamOptions(BaseModel):
    """Only together with `stream`."""

    model_config = FROZEN

    include_usage: bool | None = None
    """One more chunk before the end has the usage and no choices."""
    include_obfuscation: bool | None = None
    """Taken and without effect."""


class CompletionRequest(BaseModel):
    """Null is the same as to leave a field out. The defaults are OpenAI's, not those of the model's card."""

    model_config = FROZEN

    model: Annotated[str, Field(min_length=1, max_length=256)]
    """Name of a model, as `GET /v1/models` lists it."""
    prompt: Annotated[tuple[str, ...], BeforeValidator(as_prompts, json_schema_input_type=OneOrMorePrompts)]
    """The text to continue, or a list of them, which is recorded as a batch. Token ids are not taken."""
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS), WHOLE] | None = None
    """Most new tokens of each choice; 16 by default."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 takes the likeliest token each time; 1 by default."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Draw among the likeliest tokens of this probability together; 1 by default."""
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE] | None = None
    """Choices for each prompt; 1 by default."""
    stop: (
        Annotated[
            tuple[StopString, ...],
            Field(max_length=MAX_STOPS),
            BeforeValidator(as_tuple, json_schema_input_type=OneOrMoreStops),
        ]
        | None
    ) = None
    """A string, or several, at which a text ends; the string itself is left out."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), WHOLE] | None = None
    """The same seed gives the same text again; choice i of a prompt is drawn with seed + i."""
    echo: bool | None = None
    """Whether each text begins with its prompt."""
    stream: bool | None = None
    """Whether to send the text as it is made, as events."""
    stream_options: StreamOptions | None = None
    """Only together with `stream`."""
    user: Annotated[str, Field(max_length=MAX_USER_CHARS)] | None = None
    """Your name for whom this is; kept in the job's metadata."""

    top_k: Annotated[int, Field(ge=0, le=1_000_000), WHOLE] | None = None
    """Not OpenAI's. Draw among so many of the likeliest tokens; 0, the default, is off."""
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    """Not OpenAI's. How unlikely tokens become that are there already; 1, the default, is off."""
    priority: Literal["high", "normal", "low"] | None = None
    """Not OpenAI's. They share the workers 8 : 3 : 1; normal by default, and low for a list of prompts."""
    deadline_s: Annotated[float, Field(ge=0.001, le=SEVEN_DAYS_SECONDS)] | None = None
    """Not OpenAI's. Seconds from now; a job that cannot make it is given up, or refused at once."""

    best_of: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE] | None = None
    """Only the same as `n`."""
    frequency_penalty: Penalty = None
    """Only 0."""
    presence_penalty: Penalty = None
    """Only 0."""
    logit_bias: Annotated[
        dict[str, float] | None,
        only({}, because="must be empty: no token can be favored"),
        # No enum of objects: client generators know none, and would leave out the whole request.
        WithJsonSchema({"anyOf": [{"type": "object", "maxProperties": 0}, {"type": "null"}]}),
    ] = None
    """Only the empty object."""
    logprobs: Annotated[
        int | None,
        only(because="must be null: probabilities are not given out"),
        WithJsonSchema({"type": "null"}),
    ] = None
    """Only null."""
    suffix: Annotated[
        str | None,
        only("", because="must be empty: the model only continues texts"),
        WithJsonSchema({"enum": ["", None]}),
    ] = None
    """Only the empty string."""

    @property
    def num_choices(self) -> int:
        """For each prompt."""
        return self.n or 1

    @property
    def greedy(self) -> bool:
        """The likeliest token each time."""
        return self.temperature is not None and self.temperature < MIN_TEMPERATURE

    @property
    def is_list(self) -> bool:
        """A list of one prompt is that prompt: some clients send nothing but lists."""
        return len(self.prompt) > 1


def parse_completion(body: Mapping[str, Any]) -> CompletionRequest:
    """Raises InvalidParameters."""
    wanted = parse_as(CompletionRequest, body)
    errors = list(contradictions(wanted))
    if errors:
        raise InvalidParameters(errors)
    return wanted


def contradictions(wanted: CompletionRequest) -> Iterator[FieldError]:
    """Between fields that are right by themselves."""
    if wanted.best_of not in (None, wanted.num_choices):
        yield FieldError("best_of", "must be the same as n: no more texts are made than are answered")
    if wanted.stream_options is not None and not wanted.stream:
        yield FieldError("stream_options", "is only allowed when stream is true")
    if wanted.is_list and wanted.stream:
        yield FieldError("stream", "is for one prompt; send a request for each, or the list without stream")
    if wanted.num_choices > 1 and wanted.greedy:
        yield FieldError("n", "must be 1 when temperature is 0, because all texts would be the same")
    if wanted.is_list and wanted.priority in ("high", "normal"):
        yield FieldError("priority", "is low for a list of prompts, which is recorded as a batch")
