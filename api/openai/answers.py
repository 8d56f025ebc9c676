"""Completions and models as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tasks.jobs.batch import Batch, ItemResult
from tasks.jobs.card import ModelCard
from tasks.jobs.models import Job, Row

FinishReason = Literal["stop", "length"]


DESCRIBED = ConfigDict(use_attribute_docstrings=True)


class CompletionChoice(BaseModel):
    """One text, or in a chunk of a stream the next part of it."""

    model_config = DESCRIBED

    text: str
    index: int
    """All choices of the first prompt come first, then those of the second."""
    logprobs: None
    finish_reason: FinishReason | None
    """stop: the model ended the text, or one of your strings did. Null in a stream until then."""


class CompletionUsage(BaseModel):
    """In tokens."""

    model_config = DESCRIBED

    prompt_tokens: int
    """Of every prompt once, however many choices it has."""
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """A whole completion, or one chunk of a stream."""

    model_config = DESCRIBED

    id: str
    """Of the job, `GET /jobs/<id>`; for a list of prompts of the batch, `GET /batches/<id>`."""
    object: Literal["text_completion"]
    created: int
    """Unix seconds."""
    model: str
    system_fingerprint: str | None
    """Of the model's files, as in `GET /info`; null for a list of prompts."""
    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None
    """In a stream only of the last chunk, and only where it was asked for."""


class OpenAIModel(BaseModel):
    """A model, by the name of which completions are asked for."""

    model_config = DESCRIBED

    id: str
    object: Literal["model"]
    created: int
    """Unix seconds: when the first of its live workers came; 0 where none lives."""
    owned_by: str
    max_model_len: int
    """Not OpenAI's. Most tokens of prompt and text together."""


class OpenAIModels(BaseModel):
    """Every model that a worker has ever registered."""

    object: Literal["list"]
    data: list[OpenAIModel]


def completion_of_job(job: Job) -> Completion:
    """Of one that has succeeded."""
    return Completion(
        id=job.id,
        object="text_completion",
        created=int(job.created_at),
        model=job.model,
        system_fingerprint=job.fingerprint,
        choices=choices_of(job),
        usage=usage_of([job]),
    )


def completion_of_batch(batch: Batch, items: Sequence[ItemResult], model: str) -> Completion:
    """Of one whose items have all succeeded."""
    choices = [choice for item in items for choice in choices_of(item)]
    return Completion(
        id=batch.id,
        object="text_completion",
        created=int(batch.created_at),
        model=model,
        system_fingerprint=None,
        choices=[choice.model_copy(update={"index": index}) for index, choice in enumerate(choices)],
        usage=usage_of(items),
    )


def choices_of(job: Job | ItemResult) -> list[CompletionChoice]:
    prompt = job.text if job.parameters.return_full_text else ""
    return [
        CompletionChoice(text=prompt + row.text, index=index, logprobs=None, finish_reason=finish_reason(row))
        for index, row in enumerate(job.rows)
    ]


def finish_reason(row: Row) -> FinishReason:
    """Of a row of a job that has succeeded."""
    return "length" if row.finish_reason == "length" else "stop"


def usage_of(jobs: Iterable[Job | ItemResult]) -> CompletionUsage:
    counted = [(job.num_prompt_tokens, job.num_tokens) for job in jobs]
    prompt_tokens, completion_tokens = (sum(column) for column in zip(*counted, strict=True))
    return CompletionUsage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )


def models_of(cards: Iterable[ModelCard]) -> list[OpenAIModel]:
    """One for each name: of several with the same, the one that a request for it would get first."""
    chosen: dict[str, ModelCard] = {}
    for card in sorted(cards, key=lambda card: not card.num_live_workers):
        chosen.setdefault(card.model, card)
    return [
        OpenAIModel(
            id=card.model,
            object="model",
            created=int(card.registered_at),
            owned_by="neoserve",
            max_model_len=card.max_positions,
        )
        for card in chosen.values()
    ]
