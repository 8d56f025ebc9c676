"""The job as clients see it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on.

from api.answers.values import DESCRIBED, BatchId, Count, JobId, Seconds, Time
from api.answers.webhook import WebhookDelivery

FinishReason = Literal["length", "stop", "eos", "canceled", "deadline_exceeded", "failed"]


@with_config(DESCRIBED)
class Parameters(TypedDict):
    """Exactly what runs, with every default filled in."""

    max_new_tokens: Annotated[int, Field(ge=1)]
    """Tokens of each continuation at most."""
    do_sample: bool
    """Whether tokens are drawn; false: always the likeliest."""
    temperature: float
    top_k: Count
    """0 is off."""
    top_p: float
    repetition_penalty: float
    stop: list[str]
    """Where the text ends."""
    seed: Count
    """Text number i is drawn with seed + i."""
    num_return_sequences: Annotated[int, Field(ge=1)]
    """How many texts."""
    return_full_text: bool
    """Whether the prompt stands in front of the text."""


@with_config(DESCRIBED)
class Queue(TypedDict):
    """The place of a job that waits."""

    position: Annotated[int, Field(ge=1)] | None
    """1 is the next of its priority; null once a worker has claimed it."""
    eta_s: Seconds | None
    """Estimated seconds until it starts; null where nothing is known."""


@with_config(DESCRIBED)
class Progress(TypedDict):
    """How far a running job is."""

    tokens: Count
    """Generated so far, in all texts."""
    max_new_tokens: Annotated[int, Field(ge=1)]
    """The most there can be, in all texts."""


@with_config(DESCRIBED)
class Text(TypedDict):
    """A text that was generated."""

    generated_text: str
    """With the prompt in front unless `return_full_text` is false."""
    finish_reason: FinishReason
    """Why it ends there: `stop` is one of your strings, `eos` the model's own end."""


@with_config(DESCRIBED)
class Usage(TypedDict):
    """Tokens that were read and written."""

    prompt_tokens: Count
    completion_tokens: Count
    """Of all texts."""
    total_tokens: Count


@with_config(DESCRIBED)
class Metrics(TypedDict):
    """How long it took, in seconds; null for what has not been reached."""

    queue_s: float | None
    """From submit to start."""
    ttft_s: float | None
    """From submit to the first token."""
    generate_s: float | None
    """From start to end."""
    total_s: float | None
    """From submit to end."""


@with_config(DESCRIBED)
class JobError(TypedDict):
    """Why a job ended without a result."""

    code: str
    """Stable, for programs: one of the problems."""
    detail: str
    """In words."""


@with_config(DESCRIBED)
class JobUrls(TypedDict):
    """Addresses of the job."""

    self: str
    cancel: str
    events: str
    retry: str


@with_config(DESCRIBED)
class ListedJob(TypedDict):
    """A job without its texts. Every member is always there and null where it does not apply."""

    id: JobId
    status: Literal["queued", "running", "succeeded", "failed", "canceled", "expired"]
    """`running` returns to `queued` with a lost worker; `expired`: its deadline passed before it began."""
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    expires_at: Time | None
    """When its address begins to answer 410."""
    attempt: Count
    """How often a worker has taken it."""
    priority: Literal["high", "normal", "low"]
    model: str
    parameters: Parameters
    queue: Queue | None
    """Only while queued."""
    progress: Progress | None
    """Only while running."""
    usage: Usage | None
    """At the end."""
    metrics: Metrics
    error: JobError | None
    """Of a job that is `failed` or `expired`."""
    deadline_at: Time | None
    ttl_s: Annotated[int, Field(ge=1)]
    """Seconds that it is kept after its end."""
    cancel_on_disconnect: bool
    retry_of: JobId | None
    """The job that a retry has repeated."""
    batch_id: BatchId | None
    """The batch whose item it is."""
    urls: JobUrls
    webhook_deliveries: list[WebhookDelivery]
    metadata: dict[str, Any]
    """As it was sent."""


@with_config(DESCRIBED)
class Job(ListedJob):
    """A job. Every member is always there and null where it does not apply."""

    result: list[Text] | None
    """The texts, in order; also what there was of them when it was cut off."""


@with_config(DESCRIBED)
class JobPage(TypedDict):
    """Jobs, the one submitted last first."""

    jobs: list[ListedJob]
    next: str | None
    """Address of the next page; null at the end."""
